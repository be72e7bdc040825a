/** What tenants of one nginx notice of each other, as ratios between requests of the same seconds: refusals, the firewall, the kernel's turns. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GatewayFirewall } from '#intent/gateway-policy.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { intentOf } from './cases.ts';
import { openTestGateway, type TestGateway } from './testing-gateway.ts';

let box: Sandbox;
let gateway: TestGateway;

beforeAll(async () => {
  box = await openSandbox();
  gateway = await openTestGateway(box);
  await gateway.backends('a:9001');
});
afterAll(async () => {
  if (process.env['DEBUG'] !== undefined) console.log(gateway.errors());
  await gateway?.close();
  await box?.close();
});

const ofTenant = (namespace: string) => ({ origin: { kind: 'HTTPRoute', namespace, name: 'r' } });
const block: GatewayFirewall = { mode: 'block', paranoia: 1, threshold: 5, exclusions: [] };

/** `loud` and `other` have a firewall, `quiet` has none. */
const protect = (firewall: GatewayFirewall = block) =>
  gateway.hold({
    ...intentOf({
      backends: { a: ['127.0.0.1:9001'] },
      routes: {
        'loud.test/': { to: 'a', policy: 'p', ...ofTenant('loud') },
        'other.test/': { to: 'a', policy: 'p', ...ofTenant('other') },
        'quiet.test/': { to: 'a', ...ofTenant('quiet') },
      },
    }),
    policies: { p: { origins: [{ kind: 'WAFPolicy', namespace: 'shop', name: 'p' }], firewall } },
  });

type Load = { readonly answered: number; readonly succeeded: number; readonly milliseconds: number };

/** So many clients that ask one request after the other; `milliseconds`: how long one takes in the mean. */
async function load(host: string, clients: number, seconds: number): Promise<Load> {
  const said = await gateway.sh(
    `h2load --h1 -c ${clients} -D ${seconds} -H 'Host: ${host}' -H 'User-Agent: x' 'http://127.0.0.1:10000/?page=2'`,
  );
  const codes = /status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(said);
  const succeeded = Number(codes?.[1]);
  const answered = [1, 2, 3, 4].reduce((sum, at) => sum + Number(codes?.[at]), 0);
  // Each client has one request under way all the time.
  return { answered, succeeded, milliseconds: (clients * seconds * 1_000) / answered };
}

const pidsOfWorkers = () => gateway.sh('pgrep -P $(cat /run/netloom-gateway/nginx.pid)');

describe('refusals', () => {
  it('are told at a pace where one tenant has many, and to others at once', async () => {
    await gateway.hold({
      ...intentOf({
        backends: { a: ['127.0.0.1:9001'] },
        routes: {
          'loud.test/': { to: 'a', ...ofTenant('loud') },
          'other.test/': { to: 'a', ...ofTenant('other') },
        },
      }),
      tenants: { loud: { requestsPerSecond: 1 }, other: { requestsPerSecond: 1 } },
    });
    const [loud, other] = await Promise.all([load('loud.test', 40, 3), load('other.test', 1, 2)]);
    // Two workers, each with a hundred at once and a hundred a second.
    expect(loud.answered).toBeLessThan(1_000);
    expect(loud.answered).toBeGreaterThan(100);
    expect(other.milliseconds).toBeLessThan(loud.milliseconds / 3);
  });

  it('hold no place of requests at once while they wait', async () => {
    const concurrency = [{ counter: 'shop/p/0', by: [], requests: 1 }];
    await gateway.hold({
      ...intentOf({
        backends: { a: ['127.0.0.1:9001'] },
        routes: {
          'loud.test/': { to: 'a', policy: 'p', ...ofTenant('loud') },
          'loud.test/free': { to: 'a', ...ofTenant('loud'), rule: { rank: '0' } },
        },
      }),
      policies: { p: { origins: [], concurrency } },
      tenants: { loud: { concurrency: 30 } },
    });
    const stays = gateway.sh(
      `curl -s -m 6 -H 'Host: loud.test' 'http://127.0.0.1:10000/?wait=5000' >/dev/null || true`,
    );
    const loud = load('loud.test', 60, 3);
    for (let turn = 0; turn < 10; turn++)
      expect((await gateway.ask('/free', { host: 'loud.test' })).status).toBe(200);
    await loud;
    await stays;
  });
});

describe('a firewall that has much to do', () => {
  beforeAll(() => protect());

  it('keeps nobody waiting who has none', async () => {
    const [loud, quiet] = await Promise.all([load('loud.test', 100, 4), load('quiet.test', 1, 3)]);
    expect(loud.succeeded).toBe(loud.answered);
    expect(quiet.succeeded).toBe(quiet.answered);
    expect(quiet.milliseconds).toBeLessThan(loud.milliseconds / 4);
  });

  it('looks at requests of another tenant before all of the one that has many', async () => {
    const [loud, other] = await Promise.all([load('loud.test', 100, 4), load('other.test', 1, 3)]);
    expect(other.succeeded).toBe(other.answered);
    expect(other.milliseconds).toBeLessThan(loud.milliseconds / 4);
  });

  it('goes on when clients leave while it looks, or rules change', async () => {
    const workers = await pidsOfWorkers();
    const leaves = `for each in 1 2 3 4; do
      timeout -s KILL 0.3 h2load --h1 -c 20 -D 5 -H 'Host: loud.test' -H 'User-Agent: x' http://127.0.0.1:10000/ >/dev/null 2>&1 || true
      timeout -s KILL 0.3 h2load -c 2 -m 20 -D 5 -H ':authority: loud.test' -H 'User-Agent: x' http://127.0.0.1:10000/ >/dev/null 2>&1 || true
    done`;
    const changes = async (): Promise<void> => {
      for (let turn = 0; turn < 20; turn++) await protect({ ...block, threshold: 5 + (turn % 7) });
    };
    await Promise.all([gateway.sh(leaves), changes()]);
    await protect();
    const attack = '/?q=<script>alert(1)</script>';
    for (let turn = 0; turn < 6; turn++) {
      expect((await gateway.ask('/', { host: 'loud.test' })).status).toBe(200);
      expect((await gateway.ask(attack, { host: 'other.test' })).status).toBe(403);
    }
    expect(await pidsOfWorkers()).toBe(workers);
  });
});

describe('a worker', () => {
  it('asks the kernel for short turns, and its threads for ordinary ones', async () => {
    await protect();
    expect((await gateway.ask('/', { host: 'loud.test' })).status).toBe(200);
    const worker = (await pidsOfWorkers()).split('\n')[0];
    expect(await gateway.sh(`chrt -p ${worker}`)).toMatch(/runtime.*\b100000$/m);
    const threads = await gateway.sh(`for t in /proc/${worker}/task/*; do chrt -p \${t##*/}; done`);
    expect(threads.match(/\b100000$/gm)).toHaveLength(1);
  });
});
