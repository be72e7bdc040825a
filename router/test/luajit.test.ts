import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSandbox, type Sandbox } from '../../src/lab/sandbox.ts';
import { buildRouter } from '../build.ts';
import { answer, type Question } from '../src/vectors.ts';
import { changes, request } from './arbitrary.ts';
import { luaLiteral } from './lua-literal.ts';

type Vector = Question & { readonly name: string; readonly answer: string };

const directory = join(import.meta.dirname, '../vectors');
const vectors = readdirSync(directory)
  .filter((file) => file.endsWith('.json'))
  .flatMap((file) => JSON.parse(readFileSync(join(directory, file), 'utf8')) as Vector[]);

test.each(vectors)('$call: $name', (vector) => {
  expect(answer(vector)).toBe(vector.answer);
});

const root = process.getuid?.() === 0;

describe.skipIf(!root)(`in LuaJIT${root ? '' : ' (needs root for the node image)'}`, () => {
  let box: Sandbox;
  beforeAll(async () => {
    await buildRouter('pure');
    box = await openSandbox();
  });
  afterAll(() => box?.close());

  test('the vectors have the same answers', async () => {
    expect(vectors.length).toBeGreaterThan(0);
    expect(await answersOf(vectors)).toEqual(vectors.map((vector) => vector.answer));
  });

  test('random gateways and requests have the same answers as in Node', async () => {
    const input = fc.record({ changes, requests: fc.array(request, { minLength: 1, maxLength: 10 }) });
    const questions = fc.sample(input, 300).flatMap((one): Question[] => [
      { call: 'match', input: one },
      { call: 'stream', input: { changes: one.changes, asked: one.requests } },
    ]);
    expect(await answersOf(questions)).toEqual(questions.map(answer));
  });

  test('random paths, hosts, queries and hashes have the same answers as in Node', async () => {
    const text = fc.string({
      unit: fc.constantFrom(...'/.%2eEfF5cC;:ab~AB09[]&=+?#\\'.split('')),
      maxLength: 24,
    });
    const questions = fc.sample(text, 1000).flatMap((one): Question[] => [
      { call: 'normalisePath', input: `/${one}` },
      { call: 'normaliseHost', input: one },
      { call: 'target', input: one },
      { call: 'queryValue', input: { query: one, name: 'a' } },
      { call: 'hashed', input: { backend: threeEndpoints, values: [one] } },
    ]);
    expect(await answersOf(questions)).toEqual(questions.map(answer));
  });

  /** Each in a function of its own: one function can't hold many thousand constants. */
  async function answersOf(questions: readonly Question[]): Promise<string[]> {
    const script = [
      'local pure = dofile("/opt/netloom/router/dist/pure.lua")',
      ...questions.map(
        ({ call, input }) =>
          `;(function() io.write(pure.answer(${luaLiteral({ call, input })}), "\\0") end)()`,
      ),
    ];
    const result = await box.exec(['luajit', '-'], { input: script.join('\n'), timeoutMs: 60_000 });
    expect(result.stderr).toBe('');
    return result.stdout.split('\0').slice(0, -1);
  }
});

const threeEndpoints = {
  origin: { kind: 'Service', name: 's' },
  protocol: 'http' as const,
  endpoints: ['10.0.0.1:80', '10.0.0.2:80', '[fd00::3]:80'],
};
