import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayChange, GatewayIntent } from '#intent/gateway.ts';
import { gatewaySlots, numbers, paths } from '#system/registry.ts';
import { createStreamTable } from './stream.ts';
import { stepOf } from './stream-lower.ts';
import { certificateFor, find, patterns, proxyHeader, share } from './stream-program.ts';
import type { Slot } from './stream-slot.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-stream-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const origin = { kind: 'TLSRoute', namespace: 'shop', name: 'r' } as const;

function listener(kind: 'https' | 'passthrough' | 'terminate' | 'tcp', hostname: string, port = 'tcp/443') {
  return { origin, port, kind, hostname } as const;
}

function stream(of: string, host: string, ...backends: readonly { backend?: string; weight: number }[]) {
  return { origin, listener: of, host, backends } as const;
}

function backend(...endpoints: string[]) {
  return { origin, protocol: 'tcp', endpoints } as const;
}

function whole(put: Partial<GatewayIntent>): GatewayChange {
  return { generation: 1, after: 0, replace: true, put, remove: {} };
}

const tls443 = { 'tcp/443': { port: 443, kind: 'tls', slot: 3 } } as const;

/** As the stream part sees it: where a name leads. */
function target(name: string | undefined): string {
  const slot = find(join(directory, 'tls/10203'), name);
  if (slot === undefined) return 'closed';
  const text = slot.backends
    .map(([file]) => (file === '' ? 'closed' : readFileSync(join(directory, 'backends', file), 'utf8')))
    .join(',');
  return `${slot.to} ${text}`.trim();
}

describe('what a name of a port leads to', () => {
  it('is the most exact listener, and of its routes the most exact, and never another listener', () => {
    createStreamTable(directory).apply(
      whole({
        ports: tls443,
        listeners: {
          any: listener('passthrough', ''),
          wild: listener('passthrough', '*.example.org'),
          web: listener('https', 'www.example.org'),
          end: listener('terminate', 'end.example.org'),
        },
        streams: {
          'any|': stream('any', '', { backend: 'any', weight: 1 }),
          'wild|a': stream('wild', 'a.example.org', { backend: 'a', weight: 1 }),
          'wild|deep': stream('wild', '*.deep.example.org', { backend: 'deep', weight: 1 }),
          'end|': stream('end', 'end.example.org', { backend: 'end', weight: 1 }, { weight: 1 }),
        },
        backends: {
          any: backend('10.0.0.1:1'),
          a: backend('10.0.0.2:1', '10.0.0.3:1'),
          deep: backend('[fd00::1]:1'),
          end: backend('10.0.0.4:1'),
        },
      }),
    );
    expect(target('a.example.org')).toBe('pass 10.0.0.2:1\n10.0.0.3:1');
    expect(target('A.Example.ORG.')).toBe('pass 10.0.0.2:1\n10.0.0.3:1');
    expect(target('x.y.deep.example.org')).toBe('pass [fd00::1]:1');
    expect(target('www.example.org')).toBe('https');
    expect(target('end.example.org')).toBe('terminate 10.0.0.4:1,closed');
    expect(target('b.example.org'), 'its listener has no route for it').toBe('pass');
    expect(target('example.org')).toBe('pass 10.0.0.1:1');
    expect(target(undefined)).toBe('pass 10.0.0.1:1');
    expect(target('../../secrets')).toBe('pass 10.0.0.1:1');
  });

  it('closed where nobody listens', () => {
    createStreamTable(directory).apply(
      whole({ ports: tls443, listeners: { one: listener('passthrough', 'a.example.org') } }),
    );
    expect(target('b.example.org')).toBe('closed');
    expect(target('')).toBe('closed');
    expect(target('*')).toBe('closed');
  });
});

describe('changes', () => {
  const first = whole({
    ports: tls443,
    listeners: { one: listener('passthrough', 'a.example.org') },
    streams: { 'one|': stream('one', 'a.example.org', { backend: 'ns/a:443', weight: 1 }) },
    backends: { 'ns/a:443': backend('10.0.0.1:1'), 'ns/other:80': backend('10.0.0.9:1') },
  });
  const delta = (put: Partial<GatewayIntent>, remove: GatewayChange['remove'] = {}): GatewayChange => ({
    generation: 2,
    after: 1,
    replace: false,
    put,
    remove,
  });

  it('of endpoints are seen at once, and only what is spoken of is written', () => {
    const table = createStreamTable(directory);
    expect(table.apply(first)).toEqual([]);
    expect(readdirSync(join(directory, 'backends'))).toEqual(['ns%2Fa%3A443']);
    table.apply(delta({ backends: { 'ns/a:443': backend('10.0.0.2:1') } }));
    expect(target('a.example.org')).toBe('pass 10.0.0.2:1');
  });

  it('take away what is gone, in another process too', () => {
    createStreamTable(directory).apply(first);
    writeFileSync(join(directory, 'tls/10203/.new'), 'half');
    const table = createStreamTable(directory);
    table.apply(
      whole({ ports: tls443, listeners: { one: listener('passthrough', 'b.example.org') }, streams: {} }),
    );
    expect(target('a.example.org')).toBe('closed');
    expect(target('b.example.org')).toBe('pass');
    expect(readdirSync(join(directory, 'tls/10203'))).toEqual(['b.example.org']);
    expect(readdirSync(join(directory, 'backends'))).toEqual([]);
  });

  it('leave a slot that lost its port as it was, until a port takes it', () => {
    const table = createStreamTable(directory);
    table.apply(first);
    table.apply(
      delta({}, { ports: ['tcp/443'], listeners: ['one'], streams: ['one|'], backends: ['ns/a:443'] }),
    );
    expect(target('a.example.org')).toBe('pass 10.0.0.1:1');
    createStreamTable(directory).apply(whole({}));
    expect(target('a.example.org')).toBe('pass 10.0.0.1:1');
    table.apply(delta({ ports: { 'tcp/8443': { port: 8443, kind: 'tls', slot: 3 } } }));
    expect(target('a.example.org')).toBe('closed');
    expect(readdirSync(join(directory, 'backends'))).toEqual([]);
  });

  it('in any steps end where the whole ends', () => {
    const hosts = ['', 'a.example.org', '*.example.org', 'b.a.example.org'];
    const kinds = ['https', 'passthrough', 'terminate'] as const;
    const step = fc.record({
      key: fc.constantFrom('one', 'two', 'three'),
      host: fc.constantFrom(...hosts),
      at: fc.constantFrom(...hosts),
      // Of the route: its listener stays as it was.
      alone: fc.boolean(),
      kind: fc.constantFrom(...kinds),
      port: fc.constantFrom('tcp/443', 'tcp/444'),
      to: fc.option(fc.constantFrom('ns/a:1', 'ns/b:1'), { nil: undefined }),
      drop: fc.constantFrom('none', 'listener', 'stream', 'both'),
      endpoint: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const one = mkdtempSync(join(directory, 'one-'));
        const other = mkdtempSync(join(directory, 'other-'));
        const ports = { ...tls443, 'tcp/444': { port: 444, kind: 'tls', slot: 4 } } as const;
        const table = createStreamTable(one);
        table.apply(whole({ ports }));
        const listeners: Record<string, GatewayIntent['listeners'][string]> = {};
        const streams: Record<string, GatewayIntent['streams'][string]> = {};
        const backends: Record<string, GatewayIntent['backends'][string]> = {};
        for (const { key, host, at, alone, kind, port, to, drop, endpoint } of steps) {
          const remove: { listeners: string[]; streams: string[] } = { listeners: [], streams: [] };
          const put = {
            listeners: alone ? {} : { [key]: listener(kind, host, port) },
            streams: {
              [`${key}|${at}`]: stream(
                key,
                at,
                to === undefined ? { weight: 1 } : { backend: to, weight: 1 },
              ),
            },
            backends: { 'ns/a:1': backend(`10.0.0.${endpoint}:1`), 'ns/b:1': backend() },
          };
          Object.assign(listeners, put.listeners);
          Object.assign(streams, put.streams);
          Object.assign(backends, put.backends);
          table.apply(delta(put));
          if (drop === 'listener' || drop === 'both') remove.listeners.push(key);
          if (drop === 'stream' || drop === 'both') remove.streams.push(`${key}|${at}`);
          for (const name of remove.listeners) delete listeners[name];
          for (const name of remove.streams) delete streams[name];
          table.apply(delta({}, remove));
        }
        createStreamTable(other).apply(whole({ ports, listeners, streams, backends }));
        expect(filesIn(one)).toEqual(filesIn(other));
      }),
      { numRuns: 60 },
    );
  });
});

describe('shares', () => {
  it('are exact over a round, and mixed', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 5 }), (weights) => {
        const slot = slotOf(weights);
        const counts = weights.map(() => 0);
        for (let turn = 7; turn < 7 + slot.total; turn++) counts[Number(share(slot, turn))]!++;
        expect(counts).toEqual(weights);
      }),
    );
    const slot = slotOf([90, 10]);
    const run = Array.from({ length: 20 }, (_, turn) => share(slot, turn)).join('');
    expect(run.split('1').length - 1).toBe(2);
  });
});

describe('certificates of a listener whose TLS ends here', () => {
  const all = [
    ['first', ['other.example.org']],
    ['exact', ['a.example.org']],
    ['wild', ['*.example.org']],
  ] as const;
  it('are chosen by name, one label a star', () => {
    expect(certificateFor(all, 'a.example.org')).toBe('exact');
    expect(certificateFor(all, 'B.example.org')).toBe('wild');
    expect(certificateFor(all, 'c.b.example.org')).toBe('first');
    expect(certificateFor(all, undefined)).toBe('first');
    expect(certificateFor([], 'a.example.org')).toBeUndefined();
  });
});

it('asks for files with names of servers only', () => {
  fc.assert(
    fc.property(fc.string(), (name) => {
      for (const file of patterns(name)) expect(file).not.toMatch(/\/|^\.|\0/);
    }),
  );
  expect(patterns('a.b.c')).toEqual(['a.b.c', '*.b.c', '*.c', '*']);
});

it('introduces a client by a PROXY header', () => {
  const ports = { remote_port: '40000', server_port: '11203' };
  expect(proxyHeader({ ...ports, remote_addr: '192.0.2.1', server_addr: '10.0.0.1' })).toBe(
    'PROXY TCP4 192.0.2.1 10.0.0.1 40000 11203\r\n',
  );
  expect(proxyHeader({ ...ports, remote_addr: '2001:db8::1', server_addr: '10.0.0.1' })).toBe(
    'PROXY TCP6 2001:db8::1 ::ffff:10.0.0.1 40000 11203\r\n',
  );
});

function slotOf(weights: readonly number[]): Slot {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const backends = weights.map((weight, index) => [String(index), weight] as const);
  return { name: 's', route: '', to: 'pass', backends, total, step: stepOf(total), certificates: [] };
}

function filesIn(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      return `${file.slice(path.length)} ${readFileSync(file, 'utf8')}`;
    })
    .sort();
}

it('listens where the registry says, and its program and hooks know the same', () => {
  const text = (file: string) => readFileSync(join(import.meta.dirname, file), 'utf8');
  const offset = numbers.gatewayProxyOffset.value;
  for (const [file, kinds] of [
    ['stream.conf', ['tls', 'tcp', 'udp']],
    ['https.conf', ['https']],
  ] as const) {
    for (const kind of kinds) {
      const { base, count } = gatewaySlots[kind].value;
      for (const from of kind === 'udp' ? [base] : [base, base + offset]) {
        for (const host of ['', '[::]:'])
          expect(text(file)).toContain(`listen ${host}${from}-${from + count - 1} `);
      }
    }
  }
  const sockets = [...text('https.conf').matchAll(/listen unix:(\S+)\/https-(\d+)\.sock/g)];
  expect(sockets.map(([, directory, slot]) => [directory, Number(slot)])).toEqual(
    Array.from({ length: gatewaySlots.tls.value.count }, (_, slot) => [paths.gatewayDirectory.value, slot]),
  );
  const number = (value: number) => value.toLocaleString('en').replace(',', '_');
  const program = text('stream-program.ts');
  expect(program).toContain(`const directory = '${paths.gatewayDirectory.value}'`);
  expect(program).toContain(`const tlsBase = ${number(gatewaySlots.tls.value.base)}`);
  expect(program).toContain(`const proxyOffset = ${offset}`);
  const hooks = text('../../../router/src/nginx/tls.ts');
  expect(hooks).toContain(`const httpsBase = ${number(gatewaySlots.https.value.base)}`);
  expect(hooks).toContain(`const proxyOffset = ${offset}`);
});
