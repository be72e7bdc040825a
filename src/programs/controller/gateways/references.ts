/** Certificates, authorities, users and rules of the firewall: of all Secrets and ConfigMaps only those that some Gateway, ListenerSet or policy refers to are kept. */
import { secretType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import type { GatewayInputs } from '#compile/gateway/types.ts';
import { backoffDelay, sleep } from '#kube/backoff.ts';
import { type Client, isNotFound } from '#kube/client.ts';
import { type Informer, startInformer } from '#kube/informer.ts';
import { readAuthority } from '#model/gateway/authority.ts';
import { isCertificate, readCertificate } from '#model/gateway/certificate.ts';
import { readFirewallRules } from '#model/gateway/firewall-rules.ts';
import { readUsers } from '#model/gateway/users.ts';
import type { Problem, Read } from '#model/problem.ts';
import { inspectAuthority, inspectCertificate } from '#system/certificate.ts';
import type { Log } from '#telemetry/log.ts';
import { configMapType } from './kinds.ts';
import { createNamedWatches } from './named-watches.ts';

export type ReferencesOptions = {
  readonly client: Client;
  readonly log: Log;
  /** As in GatewayBook; problems are those of the object. */
  readonly set: <K extends 'certificate' | 'authority' | 'users' | 'firewallRules'>(
    kind: K,
    key: string,
    read: Read<GatewayInputs[K]>,
    object: KubeObject | undefined,
  ) => void;
};

export type References = {
  /** These are all that are referred to, by `KIND/namespace/name`. Undefined: nothing new; else resolves once the new ones are known. */
  refer(wanted: ReadonlySet<string>): Promise<void> | undefined;
  stop(): void;
};

/** What is kept of a Secret that nobody refers to. */
type Unread = { readonly resourceVersion: string };
type Kept = KubeObject | Unread;

const backoff = { baseMilliseconds: 100, maxMilliseconds: 10_000 };

const nothing = { value: undefined, problems: [] as readonly Problem[] };

export function followReferences({ client, log, set }: ReferencesOptions): References {
  let wanted: ReadonlySet<string> = new Set();
  /** Started with the first reference: a cluster whose gateways end no TLS has none of its Secrets read. */
  let tlsSecrets: Informer<Kept> | undefined;
  const stopped = new AbortController();
  const secretKey = (key: string): string => `Secret/${key}`;

  const put = (kind: string, key: string, object: KubeObject | undefined): void => {
    if (kind === 'Secret') {
      const isTLS = object !== undefined && isCertificate(object);
      set('certificate', key, isTLS ? readCertificate(object, inspectCertificate) : nothing, object);
      set('users', key, object !== undefined && has(object, 'auth') ? readUsers(object) : nothing, object);
    }
    const read =
      object !== undefined && hasAuthority(object) ? readAuthority(object, inspectAuthority) : nothing;
    set('authority', `${kind}/${key}`, read, object);
    if (kind !== 'ConfigMap') return;
    const rules = object !== undefined && has(object, 'rules') ? readFirewallRules(object) : nothing;
    set('firewallRules', key, rules, object);
  };
  const named = createNamedWatches(client, log, (type, key, object) => {
    if (wanted.has(`${type.kind}/${key}`)) put(type.kind, key, object);
  });
  const startSecrets = (): Informer<Kept> => {
    const informer = startInformer<KubeObject, Kept>(client, secretType, {
      log,
      fieldSelector: 'type=kubernetes.io/tls',
      transform: (secret) => {
        const { namespace, name, resourceVersion = '' } = secret.metadata;
        return wanted.has(secretKey(`${namespace}/${name}`)) ? secret : { resourceVersion };
      },
    });
    informer.onChange(({ key, new: secret }) => {
      if (!wanted.has(secretKey(key))) return;
      if (secret === undefined) void learn(key);
      else if (isWhole(secret)) put('Secret', key, secret);
      else void learn(key);
    });
    return informer;
  };
  /** A Secret that the cache has no content of. One of another type is watched by its name. */
  const learn = async (key: string): Promise<void> => {
    const [namespace = '', name = ''] = key.split('/');
    const cached = tlsSecrets?.get(namespace, name);
    if (cached !== undefined && isWhole(cached)) {
      put('Secret', key, cached);
      return;
    }
    if (cached === undefined) {
      await named.follow(secretType, key);
      put('Secret', key, named.get(secretType, key));
      return;
    }
    const secret = await read(key);
    if (stopped.signal.aborted || !wanted.has(secretKey(key))) return;
    // What came by the watch meanwhile is newer.
    const now = tlsSecrets?.get(namespace, name);
    if (now === undefined) await learn(key);
    else put('Secret', key, isWhole(now) ? now : secret);
  };
  /** Until it is known, or nobody refers to it any more. */
  const read = async (key: string): Promise<KubeObject | undefined> => {
    const [namespace = '', name = ''] = key.split('/');
    for (let failures = 0; wanted.has(secretKey(key)) && !stopped.signal.aborted; failures += 1) {
      try {
        return await client.get<KubeObject>(secretType, name, namespace);
      } catch (error) {
        if (isNotFound(error)) return undefined;
        log.warn('a Secret that is referred to can not be read', { secret: key, error });
        await sleep(backoffDelay(failures, backoff), stopped.signal);
      }
    }
    return undefined;
  };
  const start = async (reference: string): Promise<void> => {
    const [kind = '', namespace = '', name = ''] = reference.split('/');
    const key = `${namespace}/${name}`;
    if (kind === 'ConfigMap') {
      await named.follow(configMapType, key);
      put(kind, key, named.get(configMapType, key));
    } else if (kind === 'Secret') {
      tlsSecrets ??= startSecrets();
      await tlsSecrets.synced.catch(() => {});
      await learn(key);
    }
  };
  const end = (reference: string): void => {
    const [kind = '', namespace = '', name = ''] = reference.split('/');
    const key = `${namespace}/${name}`;
    named.unfollow(kind === 'Secret' ? secretType : configMapType, key);
    put(kind, key, undefined);
  };

  return {
    refer(next) {
      const added = missing(next, wanted);
      // Asked with every change, and almost always there is nothing new.
      if (added.length === 0 && next.size === wanted.size) return undefined;
      const gone = missing(wanted, next);
      // A copy: the book goes on with its own.
      wanted = new Set(next);
      for (const reference of gone) end(reference);
      if (added.length === 0) return undefined;
      return Promise.all(added.map(start)).then(() => {});
    },
    stop() {
      stopped.abort();
      tlsSecrets?.stop();
      named.stop();
    },
  };
}

/** Those of `some` that `others` don't have. */
function missing(some: ReadonlySet<string>, others: ReadonlySet<string>): readonly string[] {
  const found: string[] = [];
  for (const each of some) if (!others.has(each)) found.push(each);
  return found;
}

function isWhole(secret: Kept): secret is KubeObject {
  return 'metadata' in secret;
}

function has(object: KubeObject, name: string): boolean {
  return name in ((object as { data?: object | null }).data ?? {});
}

function hasAuthority(object: KubeObject): boolean {
  const { data = {}, binaryData = {} } = object as { data?: object; binaryData?: object };
  return 'ca.crt' in data || 'ca.crt' in binaryData;
}
