/** TokenRequest (authentication.k8s.io/v1): a token for a service account. */
import type { KubeObject } from '#api/object.ts';
import { type Context, timestamp } from './context.ts';
import { badRequest, conflict, invalid, notFound } from './errors.ts';
import { type BoundObject, defaultAudience } from './tokens.ts';

const subject = { group: 'authentication.k8s.io', plural: 'tokenrequests', kind: 'TokenRequest' };
const minSeconds = 600;
const maxSeconds = 2 ** 32;
const tables: Readonly<Record<string, string>> = { Pod: '/pods', Secret: '/secrets', Node: '/nodes' };

type Spec = {
  readonly audiences?: readonly string[] | null;
  readonly expirationSeconds?: number | null;
  readonly boundObjectRef?: {
    readonly kind?: string;
    readonly name?: string;
    readonly uid?: string;
  } | null;
};

/** The answered TokenRequest. Throws StatusError: 400, 404, 409, 422. */
export function requestToken(
  context: Context,
  account: KubeObject,
  request: Record<string, unknown>,
): object {
  const spec = (request['spec'] ?? {}) as Spec;
  const seconds = spec.expirationSeconds ?? 3600;
  if (
    typeof seconds !== 'number' ||
    !Number.isInteger(seconds) ||
    seconds < minSeconds ||
    seconds > maxSeconds
  ) {
    const why =
      typeof seconds === 'number' && seconds > maxSeconds
        ? 'may not specify a duration larger than 2^32 seconds'
        : 'may not specify a duration less than 10 minutes';
    throw invalid(subject, '', [
      {
        reason: 'FieldValueInvalid',
        field: 'spec.expirationSeconds',
        message: `Invalid value: ${JSON.stringify(seconds)}: ${why}`,
      },
    ]);
  }
  const audiences = spec.audiences?.length ? spec.audiences : [defaultAudience];
  if (!audiences.every((audience) => typeof audience === 'string'))
    throw badRequest('spec.audiences: must be strings');
  const { namespace = '', name, uid = '' } = account.metadata;
  const bound = boundObject(context, spec, namespace);
  const claims = {
    namespace,
    serviceAccount: { name, uid },
    audiences,
    ...(bound === undefined ? {} : { bound }),
  };
  const { token, expires } = context.tokens.issue(claims, seconds, Date.now());
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name, namespace, creationTimestamp: timestamp() },
    spec: { ...spec, audiences, expirationSeconds: seconds, boundObjectRef: spec.boundObjectRef ?? null },
    status: { token, expirationTimestamp: timestamp(expires.getTime()) },
  };
}

function boundObject(context: Context, spec: Spec, namespace: string): BoundObject | undefined {
  const ref = spec.boundObjectRef;
  if (ref === undefined || ref === null) return undefined;
  const { kind = '', name = '' } = ref;
  const table = Object.hasOwn(tables, kind) ? tables[kind] : undefined;
  if (table === undefined) throw badRequest(`cannot bind token to object of type ${kind}`);
  const plural = table.slice(1);
  const found = context.store.table(table).get(kind === 'Node' ? '' : namespace, name);
  if (found === undefined) throw notFound({ group: '', plural }, name);
  const { uid = '' } = found.object.metadata;
  if (ref.uid !== undefined && ref.uid !== '' && ref.uid !== uid) {
    throw conflict(
      { group: '', plural },
      name,
      `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  return { kind, name, uid };
}
