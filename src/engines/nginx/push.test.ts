/** Changes to the real nginx: what they cost requests, and what is left of them when processes end. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { GatewayChange } from '#intent/gateway.ts';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { gatewaySlots, numbers } from '#system/registry.ts';
import { intentOf, type Site } from './cases.ts';
import { createNginxEngine } from './driver.ts';
import { printLocations } from './locations.ts';
import { openTestGateway, type TestGateway } from './testing-gateway.ts';

let box: Sandbox | undefined;
let gateway: TestGateway;
const open = async () => {
  box = await openSandbox();
  gateway = await openTestGateway(box);
  await gateway.backends('a:9001', 'b:9002');
};
afterEach(async () => {
  await gateway?.close();
  await box?.close();
  box = undefined;
});

const host = 'any.test';
const backends: Site['backends'] = { a: ['127.0.0.1:9001'], b: ['127.0.0.1:9002'] };
const site = (routes: Site['routes'] = { [`${host}/`]: 'a' }) => intentOf({ backends, routes });
const many = (count: number): Site['routes'] =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`h${at % 1000}.test/p${at}`, 'a']));
const workers = async () =>
  (await gateway.sh('pgrep -P $(cat /run/netloom-gateway/nginx.pid)')).trim().split('\n');
const directory = import.meta.dirname;
const configuration = () =>
  readdirSync(directory)
    .filter((file) => file.endsWith('.conf'))
    .map((file) => readFileSync(join(directory, file), 'utf8'))
    .join('');

describe('the configuration', () => {
  it('has what the registry and the router say', () => {
    expect(readFileSync(join(directory, 'locations.conf'), 'utf8')).toBe(printLocations());
    const { base, count } = gatewaySlots.http.value;
    const offset = numbers.gatewayProxyOffset.value;
    for (const from of [base, base + offset]) {
      const range = `${from}-${from + count - 1}`;
      expect(configuration()).toContain(`listen ${range} `);
      expect(configuration()).toContain(`listen [::]:${range} `);
    }
  });
});

describe('a change', () => {
  it('is in force when it is answered, at every worker', async () => {
    await open();
    for (let round = 0; round < 10; round++) {
      await gateway.hold(site({ [`${host}/`]: round % 2 === 0 ? 'a' : 'b' }));
      const wanted = round % 2 === 0 ? 'a' : 'b';
      for (let at = 0; at < 4; at++) expect((await gateway.echo('/')).name).toBe(wanted);
    }
  });

  it('costs no request, however many there are', async () => {
    await open();
    const intent = intentOf({ backends, routes: { [`${host}/`]: 'a', ...many(3000) } });
    await gateway.hold(intent);
    const load = gateway.sh(`wrk -t1 -c16 -d6s -H 'Host: ${host}' http://127.0.0.1:10000/`);
    const until = Date.now() + 5_000;
    let pushes = 0;
    let slowest = 0;
    const rule = Object.keys(intent.rules)[0]!;
    const action = intent.rules[rule]!.action;
    while (Date.now() < until) {
      const began = performance.now();
      const change: GatewayChange = {
        generation: 100 + pushes,
        after: 0,
        replace: false,
        put: {
          actions: {
            [action]: {
              ...intent.actions[action]!,
              backends: [{ backend: pushes % 2 === 0 ? 'a' : 'b', weight: 1 }],
            },
          },
          backends: {
            [`extra${pushes % 50}`]: {
              ...intent.backends['a']!,
              endpoints: [`10.0.0.1:${1 + (pushes % 1000)}`],
            },
          },
        },
        remove: {},
      };
      await gateway.engine.apply(change);
      slowest = Math.max(slowest, performance.now() - began);
      pushes += 1;
    }
    const said = await load;
    expect(pushes).toBeGreaterThan(50);
    expect(said).not.toMatch(/Non-2xx|Socket errors/);
    expect(slowest).toBeLessThan(1_000);
    expect(gateway.errors()).not.toMatch(/\[(error|crit|alert|emerg)\]|asked for by name/);
  });

  const post = (head: object, lines = '') =>
    gateway.sh(
      `printf '%s\\n%b' '${JSON.stringify(head)}' '${lines}' | curl -s -o /dev/null -w '%{http_code}' --unix-socket /run/netloom-gateway/nginx.sock --data-binary @- http://nginx/v1/change`,
    );
  /** Names of all who answer: each request is a connection of its own, to either worker. */
  const names = async () => {
    const seen = new Set<string>();
    for (let at = 0; at < 8; at++) seen.add((await gateway.echo('/')).name);
    return [...seen].join();
  };
  const ruleOf = (intent: ReturnType<typeof site>) => Object.entries(intent.rules)[0]!;

  it('in parts takes effect with the last of them', async () => {
    await open();
    const intent = site();
    await gateway.hold(intent);
    const { boot, version } = await gateway.engine.status();
    await gateway.engine.close();
    const [, { action }] = ruleOf(intent);
    const moved = { ...intent.actions[action]!, backends: [{ backend: 'b', weight: 1 }] };
    expect(await post({ boot, after: version }, `actions\\t${action}\\t${JSON.stringify(moved)}\\n`)).toBe(
      '200',
    );
    expect(await names()).toBe('a');
    expect(await post({ boot, after: version + 1, generation: 9 }, `backends\\ta\\t\\n`)).toBe('200');
    expect(await names()).toBe('b');
  });

  it('that fails half way is known to all workers in the end', async () => {
    await open();
    const intent = site();
    await gateway.hold(intent);
    const { boot, version } = await gateway.engine.status();
    const [, { action }] = ruleOf(intent);
    const moved = { ...intent.actions[action]!, backends: [{ backend: 'b', weight: 1 }] };
    // A port that is no object can't be taken.
    const lines = `actions\\t${action}\\t${JSON.stringify(moved)}\\nports\\tx\\t5\\n`;
    expect(await post({ boot, after: version, generation: 9 }, lines)).toBe('500');
    expect(await names()).toBe('a');
    const put = { ...intent, actions: { ...intent.actions, [action]: moved } };
    await gateway.engine.apply({ generation: 10, after: 0, replace: true, put, remove: {} });
    expect(await names()).toBe('b');
  });

  it('for another state than nginx has is refused', async () => {
    await open();
    await gateway.hold(site());
    const { boot, version } = await gateway.engine.status();
    expect(await post({ boot, after: version - 1, generation: 9 })).toBe('409');
    expect(await post({ boot: 'other', after: version, generation: 9 })).toBe('409');
    expect(await post({ boot, after: version, generation: 9 })).toBe('200');
    expect(await gateway.sh('stat -c %a /run/netloom-gateway/nginx.sock')).toBe('600\n');
  });

  it('that does not fit into memory is told of, and nothing that was held is lost', async () => {
    await open();
    await gateway.hold(site());
    const { freeMemory } = await gateway.engine.status();
    const size = 200_000;
    const count = Math.ceil(freeMemory / size) + 40;
    const big = Object.fromEntries(
      Array.from({ length: count }, (_, at) => [
        `big${at}`,
        { ...site().backends['a']!, endpoints: ['x'.repeat(size)] },
      ]),
    );
    const { problems } = await gateway.engine.apply({
      generation: 50,
      after: 0,
      replace: false,
      put: { backends: big },
      remove: {},
    });
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.every(({ reason }) => reason.startsWith('nginx has no memory'))).toBe(true);
    expect((await gateway.echo('/')).name).toBe('a');
    const after = await gateway.engine.apply({
      generation: 51,
      after: 0,
      replace: true,
      put: site(),
      remove: {},
    });
    expect(after.problems).toEqual([]);
    expect((await gateway.engine.status()).freeMemory).toBeGreaterThan(freeMemory * 0.9);
  });
});

describe('what nginx holds', () => {
  it('is known to whoever asks, so that a program that starts anew says only what differs', async () => {
    await open();
    const intent = intentOf({ backends, routes: { [`${host}/`]: 'a', ...many(500) } });
    await gateway.hold(intent);
    const before = await gateway.engine.status();
    const again = createNginxEngine({ directory: `/proc/${box!.pid}/root/run/netloom-gateway` });
    await again.apply({ generation: 7, after: 0, replace: true, put: intent, remove: {} });
    await again.close();
    const after = await gateway.engine.status();
    expect(after.version).toBe(before.version + 1);
    expect(after.generation).toBe(7);
    expect(after.freeMemory).toBe(before.freeMemory);
  });

  it('outlives each of its workers', async () => {
    await open();
    await gateway.hold(intentOf({ backends, routes: { [`${host}/`]: 'b', ...many(2000) } }));
    for (let round = 0; round < 4; round++) {
      for (const worker of await workers()) await gateway.sh(`kill -9 ${worker}`);
      await eventually(async () => expect((await gateway.echo('/')).name).toBe('b'));
      expect((await gateway.ask('/p1999', { host: 'h999.test' })).status).toBe(200);
    }
  });

  it('outlives nginx, without a word from anybody', async () => {
    await open();
    expect((await gateway.ask('/')).status).toBe(503);
    await gateway.hold(site());
    await gateway.engine.close();
    await gateway.stop('KILL');
    await gateway.start();
    expect((await gateway.echo('/')).name).toBe('a');
  });

  it('outlives a reload, and requests that run are not cut by one or by the end', async () => {
    await open();
    await gateway.hold(site());
    const slow = () => gateway.ask('/?wait=1500');
    const first = slow();
    await gateway.sh('sleep 0.3; kill -HUP $(cat /run/netloom-gateway/nginx.pid)');
    expect((await gateway.echo('/')).name).toBe('a');
    expect((await first).status).toBe(200);
    const last = slow();
    await gateway.sh('sleep 0.3');
    const ended = gateway.stop('QUIT');
    expect((await last).status).toBe(200);
    await ended;
  });

  it('is said again to an nginx that has lost it', async () => {
    await open();
    await gateway.hold(site());
    await gateway.stop('KILL');
    await gateway.sh('rm -f /run/netloom-gateway/nginx.entries');
    await gateway.start();
    await eventually(async () => expect((await gateway.echo('/')).name).toBe('a'));
  });

  it('may run as anybody', async () => {
    box = await openSandbox();
    gateway = await openTestGateway(box);
    await gateway.stop('QUIT');
    await gateway.sh('chown -R 65532:65532 /run/netloom-gateway');
    box.spawn([
      'setpriv',
      '--reuid=65532',
      '--regid=65532',
      '--clear-groups',
      '/opt/netloom/src/engines/nginx/run.sh',
    ]);
    await eventually(() => gateway.engine.status());
    await eventually(async () => expect((await gateway.ask('/')).status).toBe(503));
    expect(await gateway.sh('ps -o user= -p $(cat /run/netloom-gateway/nginx.pid)')).toMatch(/65532/);
  });
});

describe('strangers', () => {
  const nasty = fc.constantFrom(
    '"; os.execute("touch /tmp/pwned") --',
    '\u0024{jndi:x}',
    '$request_uri',
    ']] .. os.exit() .. [[',
    '}\n location /x { return 200; }',
    '\r\nX-Evil: yes',
    '__proto__',
    'constructor',
    '%00%0d%0a',
    '../../../etc/passwd',
    '\u0000',
    '(a+)+$',
    '(*LIMIT_MATCH=1)a',
    'é'.repeat(50),
    '{"a":1}',
    '\t',
  );
  const text = fc.oneof(
    nasty,
    fc.string({ unit: 'grapheme', maxLength: 30 }),
    fc.string({ unit: 'binary', maxLength: 30 }),
  );
  it('can put any text anywhere: nothing is run, nothing is configured, others are served on', async () => {
    await open();
    const before = configuration();
    const value = fc.record({ name: text, value: text });
    const route = fc.record({
      host: text,
      path: text,
      type: fc.constantFrom('exact' as const, 'prefix' as const, 'regex' as const),
      headers: fc.array(
        value.map((one) => ({ ...one, regex: true as const })),
        { maxLength: 2 },
      ),
      query: fc.array(value, { maxLength: 2 }),
      set: value,
      hostname: text,
      full: text,
      name: text,
      cors: text,
      endpoint: text,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(route, { minLength: 1, maxLength: 5 }), async (list) => {
        const intent = intentOf({
          backends: {
            ...backends,
            ...Object.fromEntries(list.map((one) => [`evil${one.name}`, [one.endpoint]])),
          },
          routes: {
            [`${host}/`]: 'a',
            ...Object.fromEntries(
              list.map((one, at) => [
                `evil.test/${at}`,
                {
                  to: at % 2 === 0 ? 'a' : `evil${one.name}`,
                  rule: {
                    headers: one.headers,
                    query: one.query,
                    path: { type: one.type, value: one.path },
                    ...(at % 3 === 0 ? { host: one.host } : {}),
                  },
                  filters: {
                    request: { set: [one.set], add: [one.set], remove: [one.name] },
                    response: { set: [one.set], add: [one.set], remove: [one.name] },
                    rewrite: { hostname: one.hostname, path: { type: 'full' as const, value: one.full } },
                  },
                  persistence: {
                    type: at % 2 === 0 ? ('cookie' as const) : ('header' as const),
                    name: one.name,
                  },
                  cors: {
                    allowOrigins: [one.cors, '*'],
                    allowMethods: [one.cors],
                    allowHeaders: [one.cors],
                    exposeHeaders: [one.cors],
                    allowCredentials: true,
                    maxAge: 1,
                  },
                },
              ]),
            ),
          },
        });
        await gateway.engine.apply({ generation: 1, after: 0, replace: true, put: intent, remove: {} });
        for (const path of ['/0', '/1', '/']) {
          const answer = await gateway.ask(path, {
            host: 'evil.test',
            headers: { Origin: 'http://x', Cookie: 'a=b' },
          });
          expect(answer.headers['x-evil']).toBeUndefined();
        }
        expect((await gateway.echo('/')).name).toBe('a');
      }),
      { numRuns: 60 },
    );
    expect(configuration()).toBe(before);
    expect(await gateway.sh('ls /tmp')).not.toContain('pwned');
    expect(gateway.errors()).not.toMatch(/exited on signal|failed to run|aborted: runtime error/);
  });

  it('can not make two servers see two requests in one', async () => {
    await open();
    await gateway.hold(site({ [`${host}/`]: 'a', [`${host}/admin`]: 'b' }));
    const raw = async (request: string) => {
      const script = `const s=require('net').connect(10000,'127.0.0.1');s.write(${JSON.stringify(request)});let t='';s.on('data',d=>t+=d).on('close',()=>{console.log(t);process.exit()});setTimeout(()=>{console.log(t);process.exit()},1500)`;
      const { stdout } = await box!.exec(['/opt/node/bin/node', '-e', script]);
      return [...stdout.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    };
    const head = `POST / HTTP/1.1\r\nHost: ${host}\r\n`;
    expect(await raw(`${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)).toEqual([
      '400',
    ]);
    expect(await raw(`${head}Content-Length: 4\r\nContent-Length: 5\r\n\r\n1234`)).toEqual(['400']);
    expect(await raw(`${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`)).toEqual(['501']);
    expect(await raw(`${head}Host: other\r\nContent-Length: 0\r\n\r\n`)).toEqual(['400']);
    expect(await raw(`GET / HTTP/1.1\r\nHost: ${host}\r\nX-Bad\u0001: x\r\n\r\n`)).not.toEqual([
      '200',
      '200',
    ]);
    const line = (first: string) => `${first} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    expect(await raw(line('OPTIONS *'))).toEqual(['400']);
    expect(await raw(line('TRACE /'))).toEqual(['405']);
    expect(await raw(line('CONNECT 127.0.0.1:9002'))).toEqual(['400']);
    expect(await raw(line('GET netloom-auth'))).toEqual(['400']);
    expect(await raw(line('GET /netloom-mirror-0'))).toEqual(['200']);
    expect(await raw(line('GET http://other.test/netloom-auth'))).toEqual(['200']);
    // HTTP/2 has two places for it, too.
    const script = `const s=require('http2').connect('http://127.0.0.1:10000');const r=s.request({':path':'/',':authority':'${host}',host:'other.test'});r.on('response',h=>{console.log(h[':status']);process.exit()});r.on('error',e=>{console.log(e.code);process.exit()});r.end()`;
    const { stdout: said } = await box!.exec(['/opt/node/bin/node', '-e', script]);
    expect(said).toMatch(/^(400|ERR_)/);
    const seen = await gateway.echo('/', { headers: { X_Under: '1' } });
    expect(Object.keys(seen.headers)).not.toContain('x_under');
  });

  it('behind a backend can not send a request elsewhere inside nginx', async () => {
    await open();
    await gateway.hold(site());
    const answer = await gateway.ask('/?answer=X-Accel-Redirect:/admin&answer=X-Accel-Limit-Rate:1');
    expect(answer.status).toBe(200);
    expect(answer.headers['x-backend']).toBe('a');
  });
});
