/** Logs and exec through a stand-in kubelet on a unix socket that speaks the contract; what is not served is refused in words. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type KubeletRequest, kubeletPath, parseKubeletPath } from './kubelet.ts';
import { answered, type TestServer, testServer } from './testing.ts';

let api: TestServer;
let kubelet: Server;
let directory: string;
let follower: Promise<void>;
const pods = '/api/v1/namespaces/default/pods';

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-kubelet-'));
  const kubeletSocket = join(directory, 'kubelet.sock');
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => [...offered][0]! });
  kubelet = createServer((request, response) => {
    const asked = parseKubeletPath(request.url!);
    if (asked?.verb !== 'logs') {
      response.writeHead(500).end('not a log request');
    } else if (asked.container.container === 'waiting') {
      response.writeHead(400).end('container "waiting" is waiting to start\n');
    } else if (asked.options.follow === true) {
      response.writeHead(200, { 'content-type': 'text/plain' }).write('first\n');
      follower = new Promise((resolve) => response.on('close', resolve));
    } else response.writeHead(200).end(`${JSON.stringify(asked)}\n`);
  });
  kubelet.on('upgrade', (request, socket, head) => {
    const asked = parseKubeletPath(request.url!);
    if (asked?.verb !== 'exec' || asked.options.command[0] === 'refuse') {
      const body = 'no such executable';
      socket.end(`HTTP/1.1 400 Bad Request\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (stream) => {
      stream.send(Buffer.from([1, ...Buffer.from(JSON.stringify(asked))]));
      stream.on('message', (data: Buffer) => {
        stream.send(Buffer.from([1, ...Buffer.from(data.subarray(1).toString().toUpperCase())]));
        stream.send(Buffer.from([3, ...Buffer.from('{"metadata":{},"status":"Success"}')]));
        stream.close(1000);
      });
    });
  });
  await new Promise<void>((resolve) => kubelet.listen(kubeletSocket, resolve));
  api = await testServer({ kubeletSocket });
  await answered(
    () => api.call('GET', '/api/v1/namespaces/default/serviceaccounts/default'),
    ({ code }) => code === 200,
  );
  const containers = [
    { name: 'main', image: 'x' },
    { name: 'waiting', image: 'x' },
  ];
  await api.call('POST', pods, { metadata: { name: 'p' }, spec: { nodeName: 'n1', containers } });
  await api.call('POST', pods, {
    metadata: { name: 'homeless' },
    spec: { containers: [{ name: 'c', image: 'x' }] },
  });
});

afterAll(async () => {
  await api.close();
  kubelet.closeAllConnections();
  kubelet.close();
  rmSync(directory, { recursive: true });
});

describe('logs', () => {
  it('come from the container that is asked for, with the options', async () => {
    const { code, text, headers } = await api.call(
      'GET',
      `${pods}/p/log?container=main&tailLines=5&timestamps=true&sinceSeconds=9`,
    );
    expect([code, headers['content-type']]).toEqual([200, 'text/plain']);
    expect(JSON.parse(text)).toEqual({
      verb: 'logs',
      container: { node: 'n1', namespace: 'default', pod: 'p', container: 'main' },
      options: { tailLines: 5, timestamps: true, sinceSeconds: 9 },
    });
  });

  it('are followed until the client goes', async () => {
    const stop = new AbortController();
    const { request } = await import('node:https');
    const { admin, authority } = api.server.pki;
    const first = await new Promise<string>((resolve, reject) => {
      const outgoing = request(`${api.url}${pods}/p/log?container=main&follow=true`, {
        ca: authority.certificate,
        cert: admin.certificate,
        key: admin.key,
        signal: stop.signal,
      });
      outgoing.on('response', (response) => {
        response.on('error', () => {});
        response.once('data', (chunk: Buffer) => resolve(chunk.toString()));
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
    expect(first).toBe('first\n');
    stop.abort();
    await follower;
  });

  it.each([
    ['p/log', 400, 'a container name must be specified for pod p, choose one of: [main waiting]'],
    ['p/log?container=none', 400, 'container none is not valid for pod p'],
    ['p/log?container=waiting', 400, 'container "waiting" is waiting to start'],
    ['homeless/log', 400, 'pod homeless does not have a host assigned'],
    ['nobody/log', 404, 'pods "nobody" not found'],
    ['p/attach', 405, 'attach is not supported by this server: use kubectl exec or kubectl logs'],
    ['p/proxy/', 400, 'pod p does not have an address yet'],
    ['ftp:p:80/proxy/', 400, 'invalid pod request "ftp:p:80"'],
    ['nobody:80/proxy/', 404, 'pods "nobody" not found'],
    ['homeless/proxy/', 400, 'pod homeless does not have a host assigned'],
  ])('%s is refused clearly', async (path, code, message) => {
    const { code: got, body } = await api.call('GET', `${pods}/${path}`);
    expect([got, body.message]).toEqual([code, message]);
  });
});

type Ending = { readonly messages: readonly string[]; readonly refusal?: { code: number; message: string } };

function connect(path: string, protocols: readonly string[], say?: string): Promise<Ending> {
  const { admin, authority } = api.server.pki;
  const socket = new WebSocket(`${api.url}${path}`, [...protocols], {
    ca: authority.certificate,
    cert: admin.certificate,
    key: admin.key,
  });
  const messages: string[] = [];
  return new Promise((resolve, reject) => {
    socket.on('open', () => {
      messages.push(socket.protocol);
      if (say !== undefined) socket.send(Buffer.from([0, ...Buffer.from(say)]));
    });
    socket.on('message', (data: Buffer) => messages.push(`${data[0]} ${data.subarray(1).toString()}`));
    socket.on('close', () => resolve({ messages }));
    socket.on('unexpected-response', (_, response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('end', () => {
        const { message } = JSON.parse(text) as { message: string };
        resolve({ messages, refusal: { code: response.statusCode!, message } });
      });
    });
    socket.on('error', reject);
  });
}

describe('exec', () => {
  it('joins client and kubelet', async () => {
    const path = `${pods}/p/exec?container=main&command=sh&command=-c&command=a+b&stdin=true&stdout=true&tty=false`;
    const { messages } = await connect(path, ['v5.channel.k8s.io', 'v4.channel.k8s.io'], 'hello');
    expect(messages[0]).toBe('v5.channel.k8s.io');
    expect(JSON.parse(messages[1]!.slice(2))).toEqual({
      verb: 'exec',
      container: { node: 'n1', namespace: 'default', pod: 'p', container: 'main' },
      options: { command: ['sh', '-c', 'a b'], stdin: true, stdout: true, stderr: false, tty: false },
    });
    expect(messages.slice(2)).toEqual(['1 HELLO', '3 {"metadata":{},"status":"Success"}']);
  });

  it.each([
    ['p/exec?container=main&command=refuse', 'v5.channel.k8s.io', 400, /^no such executable$/],
    ['p/exec?container=main', 'v5.channel.k8s.io', 400, /at least 1 command/],
    ['p/exec?container=main&command=x', 'v1.other', 400, /sub-protocols v5.channel.k8s.io/],
    ['nobody/exec?command=x', 'v5.channel.k8s.io', 404, /not found/],
    ['p/portforward', 'SPDY/3.1+portforward.k8s.io', 405, /port-forward is not supported/],
  ])('%s is refused clearly', async (path, protocol, code, message) => {
    const { refusal } = await connect(`${pods}/${path}`, [protocol.replace('/', '-')]);
    expect(refusal?.code).toBe(code);
    expect(refusal?.message).toMatch(message);
  });

  it('over SPDY or without an upgrade is refused clearly', async () => {
    const plain = await api.call('POST', `${pods}/p/exec?command=x`, undefined);
    expect([plain.code, plain.body.message]).toEqual([400, expect.stringContaining('SPDY is not supported')]);
  });
});

describe('the contract', () => {
  it('parses what it prints', () => {
    const container = { node: 'n/1', namespace: 'a', pod: 'p', container: 'c c' };
    const requests: readonly KubeletRequest[] = [
      { verb: 'logs', container, options: { follow: true, limitBytes: 7 } },
      {
        verb: 'exec',
        container,
        options: { command: ['a', '-c=&'], stdin: false, stdout: true, stderr: true, tty: true },
      },
    ];
    for (const each of requests) expect(parseKubeletPath(kubeletPath(each))).toEqual(each);
    expect(parseKubeletPath('/logs/n/a/p')).toBeUndefined();
    expect(parseKubeletPath('/what/n/a/p/c')).toBeUndefined();
  });
});
