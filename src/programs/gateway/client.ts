/** The feed of an instance's pod, from the controller's side: one connection, by TLS with the instance's key. */
import { Agent, type AgentOptions, request } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import type { GatewayAnswer, GatewayChange, GatewayFeedStatus, GatewayRefusal } from '#intent/gateway.ts';
import { ports } from '#system/registry.ts';
import { pskOptions, readKey } from './psk.ts';

export type FeedOptions = {
  /** Of the pod. */
  readonly address: string;
  /** Default: `ports.gatewayFeed`. */
  readonly port?: number;
  /** As the Secret has it: 64 hexadecimal digits. */
  readonly key: string;
  /** `NAMESPACE/GATEWAY`. */
  readonly identity: string;
  /** Longest wait for an answer; longer than the pod waits for its nginx. */
  readonly deadlineMs?: number;
};

export type FeedClient = {
  /**
   * Resolves once every new request is served by it. `refused`: a delta that does not follow what is held; send the whole.
   * Rejects when the pod can't be reached, proves to be somebody else, or does not answer in time; what it holds is then unknown.
   */
  change(change: GatewayChange): Promise<{ answer: GatewayAnswer } | { refused: GatewayRefusal }>;
  status(): Promise<GatewayFeedStatus>;
  /** Requests that are not answered yet reject. */
  close(): void;
};

/** Milliseconds. */
const defaultDeadline = 30_000;
const connectDeadline = 5_000;
/** Below the pod's own, so that no request meets a connection that is just being closed. */
const keptIdle = 240_000;

/** Throws when the key is none. It dials with the first request, and again when a connection was lost; the caller decides when to try again. */
export function connectFeed(options: FeedOptions): FeedClient {
  const { address, port = ports.gatewayFeed.value, identity, deadlineMs = defaultDeadline } = options;
  const psk = readKey(options.key);
  const agentOptions: AgentOptions & Pick<ConnectionOptions, 'pskCallback' | 'checkServerIdentity'> = {
    ...pskOptions,
    pskCallback: () => ({ psk, identity }),
    // Only called when the other end shows a certificate, that is when it does not know the key.
    checkServerIdentity: () => new Error(`${address} does not know the key`),
    keepAlive: true,
    maxSockets: 1,
    timeout: keptIdle,
    // Each connection proves the key anew.
    maxCachedSessions: 0,
  };
  const agent = new Agent(agentOptions);

  const call = (method: string, path: string, body?: string): Promise<{ code: number; text: string }> =>
    new Promise((resolve, reject) => {
      const headers =
        body === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const outgoing = request({ agent, host: address, port, method, path, headers }, (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({ code: answer.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }),
        );
      });
      const late = (milliseconds: number, what: string) =>
        setTimeout(
          () => outgoing.destroy(new Error(`${address}: ${what} within ${milliseconds / 1000} s`)),
          milliseconds,
        );
      const answerTimer = late(deadlineMs, 'no answer');
      let connectTimer: NodeJS.Timeout | undefined;
      // A request waits for the one before it; only then it is dialled for.
      outgoing.on('socket', (socket) => {
        if (!socket.connecting) return;
        connectTimer = late(Math.min(connectDeadline, deadlineMs), 'no connection');
        socket.once('secureConnect', () => clearTimeout(connectTimer));
      });
      outgoing.on('error', reject);
      outgoing.on('close', () => {
        clearTimeout(answerTimer);
        clearTimeout(connectTimer);
        // Also when the connection ended in the middle of an answer; after an answer it changes nothing.
        reject(new Error(`${address}: the connection was closed`));
      });
      outgoing.end(body);
    });

  return {
    async change(change) {
      const { code, text } = await call('POST', '/v1/change', JSON.stringify(change));
      if (code === 200) return { answer: JSON.parse(text) as GatewayAnswer };
      if (code === 409) return { refused: JSON.parse(text) as GatewayRefusal };
      throw new Error(`${address} answered ${code}: ${text.slice(0, 500)}`);
    },
    async status() {
      const { code, text } = await call('GET', '/v1/status');
      if (code === 200) return JSON.parse(text) as GatewayFeedStatus;
      throw new Error(`${address} answered ${code}: ${text.slice(0, 500)}`);
    },
    close: () => agent.destroy(),
  };
}
