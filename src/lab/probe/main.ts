/** Makes the probes given as JSON in the first argument, many at once, and prints their results as one JSON array. */
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import type { Outcome, Probe, ProbeAnswer, ProbeResult } from './types.ts';

/** More would wait for this process, not for the network, and be taken for lost. */
const atOnce = 24;

/** What the image netloom/echo answers, as far as it is read here. */
type EchoAnswer = {
  readonly pod: string;
  readonly body: string;
  readonly remote: { readonly address: string };
};

/** Why a probe has no answer. */
class NoAnswer extends Error {
  readonly outcome: Outcome;
  constructor(outcome: Outcome, detail: string) {
    super(detail);
    this.outcome = outcome;
  }
}

async function makeProbe(probe: Probe): Promise<ProbeResult> {
  const started = performance.now();
  const answers: ProbeAnswer[] = [];
  const end = (outcome: Outcome, detail?: string): ProbeResult => ({
    id: probe.id,
    outcome,
    milliseconds: Math.round((performance.now() - started) * 10) / 10,
    answers,
    ...(detail === undefined ? {} : { detail }),
  });
  try {
    for (let i = 0; i < (probe.count ?? 1); i++) answers.push(...(await once[probe.kind](probe)));
    return end('answered');
  } catch (error) {
    return error instanceof NoAnswer ? end(error.outcome, error.message) : end('failed', String(error));
  }
}

const once: Readonly<Record<Probe['kind'], (probe: Probe) => Promise<readonly ProbeAnswer[]>>> = {
  http,
  tcp,
  udp,
  ping,
  dns,
};

/** A connection of its own each time; the echo server answers with who it is and whom it saw. */
function http({ target, port, timeoutMs, size }: Probe): Promise<readonly ProbeAnswer[]> {
  return new Promise((resolve, reject) => {
    const body = size === undefined ? undefined : 'x'.repeat(size);
    const method = body === undefined ? 'GET' : 'POST';
    const outgoing = request({ host: target, port, method, agent: false, timeout: timeoutMs }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => {
        const answer = JSON.parse(text) as EchoAnswer;
        if (body !== undefined && answer.body !== body) {
          reject(new NoAnswer('failed', `${answer.body.length} of ${body.length} bytes came back`));
        } else resolve([{ server: answer.pod, client: plain(answer.remote.address) }]);
      });
    });
    outgoing.on('timeout', () =>
      outgoing.destroy(new NoAnswer('silent', `no answer within ${timeoutMs} ms`)),
    );
    outgoing.on('error', (error: NodeJS.ErrnoException) => reject(connectError(error)));
    outgoing.end(body);
  });
}

/** Only the handshake: whoever listens, whatever it speaks. */
function tcp({ target, port = 0, timeoutMs }: Probe): Promise<readonly ProbeAnswer[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: target, port });
    const end = (error?: Error): void => {
      socket.destroy();
      if (error === undefined) resolve([{ server: target, client: '' }]);
      else reject(error);
    };
    socket.setTimeout(timeoutMs, () => end(new NoAnswer('silent', `no answer within ${timeoutMs} ms`)));
    socket.once('connect', () => end());
    socket.once('error', (error: NodeJS.ErrnoException) => end(connectError(error)));
  });
}

function udp({ target, port, timeoutMs }: Probe): Promise<readonly ProbeAnswer[]> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(target.includes(':') ? 'udp6' : 'udp4');
    const timer = setTimeout(
      () => end(new NoAnswer('silent', `no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const end = (error?: Error, answer?: ProbeAnswer): void => {
      clearTimeout(timer);
      socket.close();
      if (answer === undefined) reject(error);
      else resolve([answer]);
    };
    socket.once('error', (error) => end(connectError(error as NodeJS.ErrnoException)));
    socket.once('message', (message) => end(undefined, udpAnswer(message.toString('utf8'))));
    socket.connect(port ?? 0, target, ((error?: Error) => {
      if (error === undefined || error === null) socket.send('whoami');
      else end(connectError(error as NodeJS.ErrnoException));
    }) as () => void);
  });
}

function ping({ target, timeoutMs, size }: Probe): Promise<readonly ProbeAnswer[]> {
  const seconds = String(Math.max(1, Math.ceil(timeoutMs / 1000)));
  const sized = size === undefined ? [] : ['-M', 'do', '-s', String(size)];
  return new Promise((resolve, reject) => {
    execFile('ping', ['-n', '-c', '1', '-W', seconds, ...sized, target], (error, stdout, stderr) => {
      if (error === null) resolve([{ server: target, client: '' }]);
      else if (/too long|Frag needed|Packet too big/i.test(stdout + stderr))
        reject(new NoAnswer('refused', 'too big'));
      else if (/Unreachable|prohibited|refused/i.test(stdout + stderr)) {
        reject(new NoAnswer('refused', lastLine(stdout)));
      } else reject(new NoAnswer('silent', lastLine(stdout + stderr)));
    });
  });
}

/** Asks the pod's own nameserver, as its libc would, without search domains. */
async function dns({ target, timeoutMs, family = 4 }: Probe): Promise<readonly ProbeAnswer[]> {
  const servers = [...readFileSync('/etc/resolv.conf', 'utf8').matchAll(/^nameserver\s+(\S+)/gm)].map(
    (m) => m[1] ?? '',
  );
  const resolver = new Resolver({ timeout: timeoutMs, tries: 1 });
  resolver.setServers(servers.map((server) => (server.includes(':') ? `[${server}]` : server)));
  try {
    const found = family === 4 ? await resolver.resolve4(target) : await resolver.resolve6(target);
    return found.map((address) => ({ server: address, client: '' }));
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    const refused = code === 'ENOTFOUND' || code === 'ENODATA';
    throw new NoAnswer(refused ? 'refused' : code === 'ETIMEOUT' ? 'silent' : 'failed', code);
  }
}

/** The first line is `pod address port`. */
function udpAnswer(text: string): ProbeAnswer {
  const [server = '', client = ''] = text.split('\n', 1)[0]?.split(' ') ?? [];
  return { server, client: plain(client) };
}

function connectError(error: NodeJS.ErrnoException): Error {
  if (error instanceof NoAnswer) return error;
  const refusals = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ECONNRESET', 'EPERM', 'EACCES'];
  if (refusals.includes(error.code ?? '')) return new NoAnswer('refused', error.code ?? '');
  return new NoAnswer(error.code === 'ETIMEDOUT' ? 'silent' : 'failed', error.message);
}

function plain(address: string): string {
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

// Last: what is above must be there before the first probe fails.
const probes = JSON.parse(process.argv[2] ?? '[]') as readonly Probe[];
const results: ProbeResult[] = [];
const left = [...probes];
const worker = async (): Promise<void> => {
  for (let probe = left.shift(); probe !== undefined; probe = left.shift())
    results.push(await makeProbe(probe));
};
await Promise.all(Array.from({ length: atOnce }, worker));
process.stdout.write(`${JSON.stringify(results)}\n`);
