/** The engine on an nginx in memory: from any state, over any changes, ended anywhere. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { GatewayChange, GatewayIntent } from '#intent/gateway.ts';
import { eventually } from '#lab/eventually.ts';
import { intentOf, type Site } from './cases.ts';
import { createEngine, type NginxEngine } from './driver.ts';
import { createFakeNginx, type FakeNginx } from './fake.ts';
import { lower } from './lower.ts';
import { entryName, parseList, printEntry } from './objects.ts';
import { partsOf, plan } from './plan.ts';

const engines: NginxEngine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
});
const open = (nginx: FakeNginx): NginxEngine => {
  const engine = createEngine(nginx);
  engines.push(engine);
  return engine;
};
const whole = (put: GatewayIntent, generation = 1): GatewayChange => ({
  generation,
  after: 0,
  replace: true,
  put,
  remove: {},
});
const wantedOf = (intent: Partial<GatewayIntent>): string[] =>
  lower(intent)
    .value.map((entry) => `${entryName(entry)} ${entry.text}`)
    .sort();

const names = ['a', 'b', 'c'];
const sites: fc.Arbitrary<Site> = fc.record({
  backends: fc.constantFrom(
    Object.fromEntries(names.map((name) => [name, ['10.0.0.1:80']])),
    Object.fromEntries(names.map((name) => [name, ['10.0.0.2:80', '10.0.0.3:80']])),
  ),
  routes: fc.dictionary(
    fc.constantFrom('one.test/', 'two.test/x', '/any', 'three.test/'),
    fc.constantFrom(...names),
    { noNullPrototype: true },
  ),
});

describe('the engine on an nginx in memory', () => {
  it('holds, after any sequence of intents, what the last one says, and then says nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(sites, { minLength: 1, maxLength: 5 }), async (list) => {
        const nginx = createFakeNginx();
        const engine = open(nginx);
        for (const site of list) await engine.apply(whole(intentOf(site)));
        const last = intentOf(list.at(-1)!);
        expect(nginx.dump()).toEqual(wantedOf(last));
        const { version } = await nginx.status();
        const held = parseList(await nginx.list());
        const wanted = new Map(lower(last).value.map((entry) => [entryName(entry), entry]));
        expect(plan(held, wanted)).toEqual([]);
        expect(version).toBeGreaterThan(0);
      }),
      { numRuns: 50 },
    );
  });

  it('takes deltas at the cost of what they change', async () => {
    const nginx = createFakeNginx();
    const engine = open(nginx);
    const intent = intentOf({ backends: { a: ['10.0.0.1:80'] }, routes: { 'one.test/': 'a' } });
    await engine.apply(whole(intent));
    const said: string[] = [];
    const heard = { ...nginx };
    nginx.change = async (head, lines) => {
      said.push(lines);
      return heard.change(head, lines);
    };
    const a = { ...intent.backends['a']!, endpoints: ['10.0.0.9:80'] };
    const answer = await engine.apply({
      generation: 2,
      after: 1,
      replace: false,
      put: { backends: { a } },
      remove: {},
    });
    expect(answer).toEqual({ generation: 2, problems: [] });
    expect(said).toEqual([printEntry({ domain: 'backends', key: 'a', text: JSON.stringify(a) })]);
    expect(await nginx.status()).toMatchObject({ generation: 2 });
  });

  it('makes up for what was missed while nginx was away, and for one that began anew', async () => {
    const nginx = createFakeNginx();
    const engine = open(nginx);
    const intent = intentOf({ backends: { a: ['10.0.0.1:80'] }, routes: { 'one.test/': 'a' } });
    nginx.setRunning(false);
    await expect(engine.apply(whole(intent))).rejects.toThrow('ENOENT');
    expect(engine.ready()).toBe(false);
    nginx.setRunning(true);
    await eventually(() => expect(nginx.dump()).toEqual(wantedOf(intent)));
    expect(engine.ready()).toBe(true);
    nginx.restart();
    await eventually(() => expect(nginx.dump()).toEqual(wantedOf(intent)));
  });

  it('leaves to a restarted nginx what it was told last', async () => {
    const nginx = createFakeNginx();
    const engine = createEngine(nginx);
    const intent = intentOf({ backends: { a: ['10.0.0.1:80'] }, routes: { 'one.test/': 'a' } });
    await engine.apply(whole(intent, 7));
    await engine.close();
    nginx.restart();
    expect(nginx.dump()).toEqual(wantedOf(intent));
    expect(await nginx.status()).toMatchObject({ generation: 7 });
  });

  it('leaves it right behind the change, so that little is missed where both end at once', async () => {
    const nginx = createFakeNginx();
    const intent = intentOf({ backends: { a: ['10.0.0.1:80'] }, routes: { 'one.test/': 'a' } });
    await open(nginx).apply(whole(intent, 7));
    await eventually(() => expect(nginx.kept()).toContain('10.0.0.1:80'), 500);
  });

  it('converges when it ends between any two parts', async () => {
    const backends = Object.fromEntries(
      Array.from({ length: 60 }, (_, at) => [
        `b${at}`,
        Array.from({ length: 500 }, (_e, port) => `10.0.0.1:${port}`),
      ]),
    );
    const intent = intentOf({ backends, routes: { 'one.test/': 'b0', 'two.test/': 'b59' } });
    expect(
      partsOf(plan(new Map(), new Map(lower(intent).value.map((e) => [entryName(e), e])))).length,
    ).toBeGreaterThan(2);
    for (let after = 0; after < 4; after++) {
      const nginx = createFakeNginx();
      nginx.killAfter(after);
      const first = createEngine(nginx);
      await first.apply(whole(intent)).catch(() => {});
      await first.close();
      nginx.killAfter(Number.POSITIVE_INFINITY);
      await open(nginx).apply(whole(intent));
      expect(nginx.dump()).toEqual(wantedOf(intent));
    }
  });

  it('says what can not be held, and holds the rest', async () => {
    const nginx = createFakeNginx();
    const engine = open(nginx);
    const intent = intentOf({
      backends: { a: ['10.0.0.1:80'], 'b\nactions\tx\t{}': ['10.0.0.1:80'] },
      routes: { 'one.test/': 'a' },
    });
    nginx.refused.add('backends/a');
    const { problems } = await engine.apply(whole(intent));
    expect(problems).toEqual([
      { entry: 'backends/b?actions?x?{}', reason: 'its key has characters that no name has' },
      { entry: 'backends/a', reason: 'no memory' },
    ]);
    expect(nginx.dump().some((line) => line.startsWith('rules/'))).toBe(true);
    expect(nginx.dump().some((line) => line.includes('actions/x'))).toBe(false);
  });

  it('does not go on with what an entry was, once it can not be held', async () => {
    const nginx = createFakeNginx();
    const engine = open(nginx);
    const intent = intentOf({ backends: { a: ['10.0.0.1:80'], b: [] }, routes: { 'one.test/': 'a' } });
    await engine.apply(whole(intent));
    const endpoints = Array.from({ length: 30_000 }, (_, port) => `10.0.0.1:${port}`);
    const b = { ...intent.backends['b']!, endpoints };
    const { problems } = await engine.apply({
      generation: 2,
      after: 1,
      replace: false,
      put: { backends: { b } },
      remove: {},
    });
    expect(problems).toEqual([{ entry: 'backends/b', reason: 'it is larger than 256 kB' }]);
    expect(nginx.dump().some((line) => line.startsWith('backends/b'))).toBe(false);
  });

  it('takes everything away, without memory of what it was', async () => {
    const nginx = createFakeNginx();
    await open(nginx).apply(whole(intentOf({ backends: { a: [] }, routes: { 'one.test/': 'a' } })));
    await open(nginx).cleanup();
    expect(nginx.dump()).toEqual([]);
  });
});
