/** Runs a program in a pod through the API server, as `kubectl exec` does (sub-protocol v5.channel.k8s.io). */
import { WebSocket } from 'ws';
import type { ClientConfig } from '#kube/client.ts';

export type ExecResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

type Status = {
  readonly status?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
};

/** Rejects when the program can't be started or runs longer than the deadline. */
export async function execInPod(
  config: ClientConfig,
  pod: { readonly namespace: string; readonly name: string; readonly container?: string },
  argv: readonly string[],
  deadlineMs: number,
): Promise<ExecResult> {
  const query = new URLSearchParams([
    ...argv.map((argument) => ['command', argument]),
    ['stdout', 'true'],
    ['stderr', 'true'],
    ...(pod.container === undefined ? [] : [['container', pod.container]]),
  ] as [string, string][]);
  const path = `/api/v1/namespaces/${encodeURIComponent(pod.namespace)}/pods/${encodeURIComponent(pod.name)}/exec`;
  const token = typeof config.token === 'function' ? await config.token() : config.token;
  const socket = new WebSocket(
    `${config.server.replace(/^http/, 'ws')}${path}?${query.toString()}`,
    ['v5.channel.k8s.io'],
    {
      ca: config.ca,
      cert: config.cert,
      key: config.key,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    },
  );
  const output: Record<number, Buffer[]> = { 1: [], 2: [], 3: [] };
  const { promise, resolve, reject } = Promise.withResolvers<ExecResult>();
  const name = `${pod.namespace}/${pod.name}`;
  const timer = setTimeout(() => {
    reject(new Error(`${argv[0]} in pod ${name} did not end within ${deadlineMs} ms`));
    socket.terminate();
  }, deadlineMs);
  socket.on('message', (data) => {
    const message = data as Buffer;
    output[message[0] ?? 0]?.push(message.subarray(1));
  });
  socket.on('unexpected-response', (_request, response) => {
    const parts: Buffer[] = [];
    response.on('data', (part: Buffer) => parts.push(part));
    response.on('end', () =>
      reject(new Error(`exec in pod ${name}: ${Buffer.concat(parts).toString('utf8')}`)),
    );
  });
  socket.on('error', (error) => reject(new Error(`exec in pod ${name}: ${error.message}`)));
  socket.on('close', () => {
    const text = (channel: number) => Buffer.concat(output[channel] ?? []).toString('utf8');
    if (text(3) === '') reject(new Error(`exec in pod ${name}: the connection ended before the program did`));
    else resolve({ code: exitCode(JSON.parse(text(3)) as Status), stdout: text(1), stderr: text(2) });
  });
  return promise.finally(() => clearTimeout(timer));
}

function exitCode(status: Status): number {
  if (status.status === 'Success') return 0;
  const cause = status.details?.causes?.find((each) => each.reason === 'ExitCode');
  return cause?.message === undefined ? 1 : Number(cause.message);
}
