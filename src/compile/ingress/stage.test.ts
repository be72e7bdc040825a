/** Ingresses beside very many others at one host: what one of them protects is protected however late it comes. */
import { expect, test } from 'vitest';
import { authority, certificate, compiled, openALB } from '../gateway/testing.ts';
import { ingressOf } from './testing.ts';

test('clients of a host show certificates by the word of the last of a hundred Ingresses', () => {
  const tls = { 'a.example': 'cert' };
  const others = Array.from({ length: 100 }, (_, age) => ({
    name: `i${age}`,
    age,
    tls,
    paths: { [`a.example/${age}`]: 'web' },
  }));
  const last = {
    name: 'last',
    age: 500,
    paths: { 'a.example/admin': 'web' },
    annotations: { 'auth-tls-secret': 'ca' },
  };
  const ingress = [...others, last].map((wish) => ({
    ...ingressOf({ ...wish, namespace: 'x' }),
    className: 'main',
  }));
  const { intents } = compiled({
    alb: [
      openALB('edge/main', {
        http: { port: 80 },
        https: { port: 443 },
        ingressClass: { name: 'main', isDefault: false },
      }),
    ],
    ingress,
    certificate: [certificate('x/cert', ['a.example'])],
    authority: [authority('Secret', 'x/ca')],
  });
  const listeners = Object.values(intents.get('edge/main~alb')?.listeners ?? {});
  expect(listeners.filter(({ hostname }) => hostname === 'a.example')).toMatchObject([
    { clientValidation: {} },
  ]);
});
