/** Who asks: client certificates and service account tokens. */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Context, User } from './context.ts';
import { unauthorized } from './errors.ts';
import { defaultAudience, type TokenClaims } from './tokens.ts';

/** Paths that need no identity. */
const openPaths = ['/healthz', '/livez', '/readyz', '/version'];

export function isOpenPath(pathname: string): boolean {
  return openPaths.some((path) => pathname === path || pathname.startsWith(`${path}/`));
}

const certificateUsers = new WeakMap<object, User | undefined>();

/** The user of a request. Throws 401 with the reason; a bad token is refused even beside a good certificate. */
export function authenticate(context: Context, request: IncomingMessage): User {
  const header = request.headers.authorization;
  if (header !== undefined) {
    const token = /^Bearer +(\S+) *$/i.exec(header)?.[1];
    if (token === undefined) throw unauthorized('only Bearer tokens and client certificates are accepted');
    const user = tokenUser(context, token, [defaultAudience]);
    if (typeof user === 'string') throw unauthorized(user);
    return user;
  }
  const socket = request.socket as TLSSocket;
  if (!certificateUsers.has(socket)) certificateUsers.set(socket, certificateUser(socket));
  const user = certificateUsers.get(socket);
  if (user === undefined) throw unauthorized();
  return user;
}

/** The user of a token that is meant for one of the audiences; otherwise the reason as text. */
export function tokenUser(context: Context, token: string, audiences: readonly string[]): User | string {
  const claims = context.tokens.check(token, Date.now());
  if (typeof claims === 'string') return claims;
  if (!claims.audiences.some((audience) => audiences.includes(audience))) {
    return `token audiences ${JSON.stringify(claims.audiences)} is invalid for the target audiences ${JSON.stringify(audiences)}`;
  }
  return living(context, claims) ?? serviceAccountUser(claims);
}

/** A token dies with its service account and with the object it is bound to. */
function living(context: Context, claims: TokenClaims): string | undefined {
  const { namespace, serviceAccount, bound } = claims;
  const account = context.store.table('/serviceaccounts').get(namespace, serviceAccount.name);
  if (account?.object.metadata.uid !== serviceAccount.uid)
    return 'service account of the token has been deleted';
  if (bound === undefined) return undefined;
  const table = { Pod: '/pods', Secret: '/secrets', Node: '/nodes' }[bound.kind] ?? '';
  const holder = context.store.table(table).get(bound.kind === 'Node' ? '' : namespace, bound.name);
  return holder?.object.metadata.uid === bound.uid
    ? undefined
    : `${bound.kind} that the token is bound to has been deleted`;
}

function serviceAccountUser(claims: TokenClaims): User {
  const { namespace, serviceAccount, bound } = claims;
  const extra: Record<string, readonly string[]> = {
    'authentication.kubernetes.io/credential-id': [`JTI=${claims.id}`],
  };
  if (bound?.kind === 'Pod' || bound?.kind === 'Node') {
    const kind = bound.kind.toLowerCase();
    extra[`authentication.kubernetes.io/${kind}-name`] = [bound.name];
    extra[`authentication.kubernetes.io/${kind}-uid`] = [bound.uid];
  }
  return {
    name: `system:serviceaccount:${namespace}:${serviceAccount.name}`,
    uid: serviceAccount.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    extra,
  };
}

function certificateUser(socket: TLSSocket): User | undefined {
  if (!socket.authorized) return undefined;
  const { subject } = socket.getPeerCertificate();
  // Attributes that repeat are lists, though the types don't say so.
  const commonName = [subject?.CN as string | string[] | undefined].flat()[0];
  if (commonName === undefined) return undefined;
  const organizations = [(subject.O ?? []) as string | string[]].flat();
  return { name: commonName, groups: [...organizations, 'system:authenticated'] };
}
