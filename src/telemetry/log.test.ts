/** Log lines: one entry is one line, whatever is in it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLog, isLevel, type LogOptions } from './log.ts';

const at = new Date('2026-11-23T04:56:12.345Z');
function capture(options: LogOptions = {}) {
  const written: string[] = [];
  return { log: createLog({ write: (line) => written.push(line), now: () => at, ...options }), written };
}

test('text is for people, objects are namespace/name, levels below the threshold are silent', () => {
  const { log, written } = capture();
  const pod = { kind: 'Pod', metadata: { namespace: 'ns', name: 'p' }, spec: { secret: true } };
  log.child({ node: 'n1' }).info('pod wired', { pod, took: 1.5, ok: true, gone: undefined });
  log.debug('not shown');
  log.error('failed', { error: new Error('outer', { cause: new Error('inner') }) });
  expect(written).toEqual([
    'I1123 04:56:12.345Z "pod wired" node="n1" pod="ns/p" took=1.5 ok=true\n',
    'E1123 04:56:12.345Z "failed" error="outer: inner"\n',
  ]);
  expect([log.enabled('info'), log.enabled('debug')]).toEqual([true, false]);
});

test('JSON keeps its own fields, whatever a field is called', () => {
  const { log, written } = capture({ format: 'json', level: 'trace' });
  log.trace('m', { level: 'fake', big: 10n, list: [{ metadata: { name: 'n' } }] });
  expect(JSON.parse(written[0] ?? '')).toEqual({
    ts: at.toISOString(),
    level: 'trace',
    msg: 'm',
    level_: 'fake',
    big: '10',
    list: ['n'],
  });
});

test('nothing foreign can make a second line or reach the terminal', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('text' as const, 'json' as const),
      (text, format) => {
        const { log, written } = capture({ format });
        log.info('m', { text, nested: { text } });
        expect(written).toHaveLength(1);
        expect((written[0] ?? '').slice(0, -1)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        expect(written[0]?.at(-1)).toBe('\n');
      },
    ),
  );
});

test('a value that refers to itself does not break the program that logs it', () => {
  const { log, written } = capture();
  const ring: { self?: unknown } = {};
  ring.self = ring;
  log.info('m', { ring });
  expect(written[0]).toContain('refers to itself');
});

test('levels for flags', () => {
  expect([isLevel('debug'), isLevel('loud'), isLevel('toString')]).toEqual([true, false, false]);
});
