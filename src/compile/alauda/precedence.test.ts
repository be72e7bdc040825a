/** Which of ALB's Rules takes a request: the same as where they are asked one by one, whatever their priorities, hosts and paths. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import { readRule } from '#model/alauda/rule.ts';
import { regexInScript } from '#model/gateway/regex.ts';
import { parseAddress } from '#router/src/addresses.ts';
import { findListener, findRule } from '#router/src/match.ts';
import type { RouterReader, RouterRequest } from '#router/src/request.ts';
import { applyChange, createTable } from '#router/src/table.ts';
import { compiled } from '../gateway/testing.ts';
import { inOrder } from './routes.ts';
import { alb2Object, clusterOf, frontendObject, ruleObject } from './samples.ts';

type Request = RouterRequest & { readonly sent: Readonly<Record<string, string>>; readonly from: string };

const hosts = ['a.example', 'b.example', 'a.test', 'else.net'];
const paths = ['/', '/a', '/ab', '/a/b', '/a/b/c', '/b', '/x.y'];
const requests: readonly Request[] = hosts.flatMap((host) =>
  paths.flatMap((path) =>
    [
      { method: 'GET', sent: {}, from: '10.0.0.1' },
      { method: 'POST', sent: { x: '1' }, from: '10.0.0.9' },
      // Whatever it says of itself.
      { method: 'GET', sent: { x: '12', 'x-real-ip': '10.0.0.1' }, from: 'fd00::1' },
    ].map((each) => ({ host, path, query: undefined, ...each }) as unknown as Request),
  ),
);

const reader: RouterReader<Request> = {
  header: ({ sent, host }: Request, name: string) => (name === 'host' ? host : sent[name]),
  query: () => undefined,
  client: ({ from }: Request) => parseAddress(from),
  matches: (text: string, pattern: string) => regexInScript(pattern).test(text),
} as unknown as RouterReader<Request>;

const term = (type: string, rows: readonly string[]) =>
  fc
    .uniqueArray(fc.constantFrom(...rows), { minLength: 1, maxLength: 2 })
    .map((some) => `${type} ${some.join(' | ')}`);
const anyRule = fc
  .record({
    host: fc.option(
      term('HOST', [
        'EQ a.example',
        'EQ b.example',
        'IN a.example a.test',
        'ENDS_WITH *.example',
        'ENDS_WITH .test',
        'REGEX ^a',
        'STARTS_WITH b.',
      ]),
    ),
    url: fc.option(
      term('URL', [
        'EQ /a',
        'EQ /a/b',
        'EQ /x.y',
        'STARTS_WITH /',
        'STARTS_WITH /a',
        'STARTS_WITH /a/',
        'REGEX ^/a',
        'REGEX b$',
        'REGEX x.y',
        'IN /a /b',
      ]),
    ),
    method: fc.option(term('METHOD', ['EQ GET', 'EQ POST'])),
    header: fc.option(term('HEADER:x', ['EQ 1', 'STARTS_WITH 1', 'EXIST', 'REGEX 2', 'ENDS_WITH *2'])),
    source: fc.option(term('SRC_IP', ['EQ 10.0.0.1', 'RANGE 10.0.0.0 10.0.0.5', 'IN 10.0.0.9 fd00::1']), {
      freq: 1,
    }),
    priority: fc.constantFrom(5, 5, 1, 9),
  })
  .map(({ host, url, method, header, source, priority }) => ({
    terms: [
      host,
      url ?? (host === null && method === null && header === null ? 'URL STARTS_WITH /' : null),
      method,
      header,
      source,
    ].filter((each) => each !== null),
    priority,
  }));

test('is the first of all in their order', () => {
  fc.assert(
    fc.property(fc.array(anyRule, { minLength: 1, maxLength: 8 }), (some) => {
      const rules = some.map(({ terms, priority }, index) => ruleObject(`r${index}`, terms, { priority }));
      const objects = [alb2Object(), frontendObject('web', { port: 8080, protocol: 'http' }), ...rules];
      const { intents } = compiled(clusterOf(objects));
      const intent = intents.get('shop/lb~alb2~alb');
      const table = createTable();
      applyChange(table, { generation: 1, after: 0, replace: true, put: intent!, remove: {} });
      for (const request of requests) {
        const listener = findListener(table, 'tcp/8080', request.host)!;
        const rule = findRule(listener, request, reader);
        const found = rule === undefined ? undefined : intent?.actions[rule.action]?.origin.name;
        expect([request.host, request.path, request.method, found]).toEqual([
          request.host,
          request.path,
          request.method,
          firstOf(rules, request),
        ]);
      }
    }),
    { numRuns: 40 },
  );
});

/** ALB's engine: one after the other, each with all of its terms. */
function firstOf(rules: readonly KubeObject[], request: Request): string | undefined {
  const sorted = rules.flatMap((object) => {
    const { value } = readRule(object);
    return value === undefined ? [] : [{ object, value }];
  });
  sorted.sort((a, b) => inOrder(a.value, b.value));
  const found = sorted.find(({ object }) => {
    const { dslx } = object['spec'] as { dslx: { type: string; key?: string; values: string[][] }[] };
    return dslx.every(({ type, values }) => {
      const text =
        { HOST: request.host, URL: request.path, METHOD: request.method, SRC_IP: request.from }[type] ??
        request.sent['x'];
      return values.some(([operator = '', ...args]) => text !== undefined && holds(operator, text, args));
    });
  });
  return found?.value.name;
}

function holds(operator: string, text: string, [first = '', ...more]: readonly string[]): boolean {
  switch (operator) {
    case 'EQ':
      return text === first;
    case 'IN':
      return [first, ...more].includes(text);
    case 'STARTS_WITH':
      return text.startsWith(first);
    case 'ENDS_WITH':
      return text.endsWith(first.replace('*', '')) && text.length >= first.length;
    case 'RANGE':
      return text >= first && text <= (more[0] ?? '') && !text.includes(':');
    case 'REGEX':
      return new RegExp(first).test(text);
    default:
      return true;
  }
}
