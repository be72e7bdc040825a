/** Hostnames that listeners and routes have in common: the specification's own examples, and what they leave open. */
import { expect, test } from 'vitest';
import { commonHostnames, covers, wider } from './hostnames.ts';

test.each([
  ['', [], ['']],
  ['', ['a.example'], ['a.example']],
  ['a.example', [], ['a.example']],
  ['test.example.com', ['test.example.com'], ['test.example.com']],
  ['test.example.com', ['*.example.com'], ['test.example.com']],
  ['*.example.com', ['*.example.com', 'test.example.com'], ['*.example.com', 'test.example.com']],
  ['*.example.com', ['example.com', 'test.example.net'], []],
  ['*.example.com', ['foo.test.example.com'], ['foo.test.example.com']],
  ['*.example.com', ['test.example.com', 'test.example.net'], ['test.example.com']],
  ['*.test.example.com', ['*.example.com'], ['*.test.example.com']],
  ['*.example.com', ['*.test.example.com'], ['*.test.example.com']],
  ['a.example', ['*.example', 'a.example'], ['a.example']],
  ['*.b.example', ['*.c.example'], []],
  ['*.example', ['badexample'], []],
])('listener "%s", route %j', (listener, route, common) => {
  expect(commonHostnames(listener, route)).toEqual(common);
});

test('what is wider covers, and nothing else does', () => {
  const names = ['', '*.c', '*.b.c', '*.a.b.c', 'a.b.c', 'b.c', 'x.b.c', 'c'];
  for (const narrow of names) {
    const found = [narrow, ...wider(narrow)].filter((name) => names.includes(name)).sort();
    expect([narrow, names.filter((wide) => covers(wide, narrow)).sort()]).toEqual([narrow, found]);
  }
});
