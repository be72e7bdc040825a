/** Who looks at many objects at once: what it costs to remember that, and that each of them makes it due. */
import { expect, test } from 'vitest';
import { createInputs } from './inputs.ts';
import { createLookups } from './lookups.ts';
import { tlsPolicy } from './samples.ts';

test('a look at a thousand policies of one Service is one note, and each of them makes whoever looked due', () => {
  const lookups = createLookups();
  const noted: string[] = [];
  const inputs = createInputs({
    ...lookups,
    note(topic) {
      noted.push(topic);
      lookups.note(topic);
    },
  });
  const put = (name: string, hostname: string) =>
    inputs.set('tlsPolicy', `shop/${name}`, tlsPolicy(`shop/${name}`, 'web', { hostname }));
  for (let at = 0; at < 1000; at += 1) put(`p${at}`, 'a.example');
  const look = () => lookups.track('policy', 'who', () => inputs.ask.policiesOf('shop/web'));
  expect(look()).toHaveLength(1000);
  expect(noted).toHaveLength(1);
  put('p7', 'b.example');
  expect(lookups.take('policy')).toEqual(['who']);
  expect(look().find(({ name }) => name === 'p7')?.hostname).toBe('b.example');
  inputs.set('tlsPolicy', 'shop/p7', undefined);
  expect(lookups.take('policy')).toEqual(['who']);
  expect(look()).toHaveLength(999);
  put('p7', 'a.example');
  expect(lookups.take('policy')).toEqual(['who']);
});
