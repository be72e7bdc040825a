/** One connection of nginx's, carried to a backend by TLS. */
import type { Socket } from 'node:net';
import { type ConnectionOptions, connect, type SecureContext, type TLSSocket } from 'node:tls';
import type { Target } from './lower.ts';
import { wrongIdentity } from './verify.ts';

/** `unreachable`: no TCP connection; `unproven`: not the backend that it must be; `failed`: TLS itself, for example for want of our certificate. */
export type Outcome = 'connected' | 'unreachable' | 'late' | 'unproven' | 'failed';

export type Carried = {
  /** At most once, when the backend has proven itself or when there is no hope. */
  readonly onOutcome: (outcome: Outcome, reason: string | undefined, milliseconds: number) => void;
  /** After it was connected, before the backend said anything: a backend refuses our certificate only then, in TLS 1.3. */
  readonly onRefused: (reason: string) => void;
};

/** Milliseconds for connecting and proving. */
const connectDeadline = 10_000;
/** Milliseconds without a byte after which a connection that one end has ended is given up. */
const halfClosedQuiet = 60_000;

/** `client` is nginx; both ends are closed when this can't be. Nothing is sent to a backend that has not proven itself. */
export function carry(client: Socket, target: Target, context: SecureContext, carried: Carried): TLSSocket {
  const { identity } = target;
  const { host, port } = splitEndpoint(target.endpoint);
  const began = performance.now();
  const options: ConnectionOptions & { readonly allowHalfOpen: true } = {
    host,
    port,
    secureContext: context,
    servername: identity.hostname,
    ...(identity.anybody === true && { rejectUnauthorized: false }),
    ...(identity.alpn !== undefined && { ALPNProtocols: [identity.alpn] }),
    allowHalfOpen: true,
    checkServerIdentity: (_, { raw }) => {
      const wrong = wrongIdentity(identity, raw);
      return wrong === undefined ? undefined : new IdentityError(wrong);
    },
  };
  const upstream = connect(options);
  upstream.setNoDelay(true);
  let outcome: Outcome | undefined;
  let heard = false;
  const settle = (as: Outcome, reason?: string): void => {
    if (outcome !== undefined) return;
    outcome = as;
    clearTimeout(timer);
    carried.onOutcome(as, reason, performance.now() - began);
  };
  const fail = (error: Error): void => {
    if (outcome === 'connected' && !heard) carried.onRefused(reasonOf(error));
    settle(outcomeOf(error), reasonOf(error));
    client.destroy();
    upstream.destroy();
  };
  const timer = setTimeout(
    () => fail(new LateError(`no connection within ${connectDeadline / 1000} s`)),
    connectDeadline,
  );
  upstream.once('secureConnect', () => {
    settle('connected');
    upstream.once('data', () => {
      heard = true;
    });
    client.pipe(upstream);
    upstream.pipe(client);
  });
  upstream.on('error', fail);
  client.on('error', () => upstream.destroy());
  giveUpWith(client, upstream);
  giveUpWith(upstream, client);
  client.once('close', () => settle('late', 'nginx gave up before it was connected'));
  return upstream;
}

/** `ADDRESS:PORT`, IPv6 in brackets. */
function splitEndpoint(endpoint: string): { readonly host: string; readonly port: number } {
  const colon = endpoint.lastIndexOf(':');
  const host = endpoint.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number(endpoint.slice(colon + 1)) };
}

/** What one end says to the last is still delivered to the other, and an end that only stopped talking may go on listening for a while. */
function giveUpWith(one: Socket, other: Socket): void {
  one.once('end', () => {
    for (const socket of [one, other]) socket.setTimeout(halfClosedQuiet, () => socket.destroy());
  });
  one.once('close', () => {
    if (!other.writableEnded) other.destroy();
  });
}

class IdentityError extends Error {}
class LateError extends Error {}

/** OpenSSL's own words without the places in its sources, and without what Node would have its users do. */
function reasonOf({ message, reason }: Error & { readonly reason?: string }): string {
  return reason ?? message.split(';')[0] ?? message;
}

/** Codes of system calls, and what OpenSSL says of chains: everything else is TLS itself. */
function outcomeOf(error: Error & { readonly code?: string }): Outcome {
  if (error instanceof IdentityError) return 'unproven';
  if (error instanceof LateError) return 'late';
  const { code = '' } = error;
  if (/^(?:ECONN|EHOST|ENET|ETIMEDOUT|EADDR|EPIPE)/.test(code)) return 'unreachable';
  if (/CERT|SIGNATURE|ISSUER|CHAIN|CRL|ALTNAME/.test(code) && !code.startsWith('ERR_SSL_')) return 'unproven';
  return 'failed';
}
