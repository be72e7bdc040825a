/** Client certificates: which listeners ask for them, and what is said where there is nothing to judge them by. */
import { expect, test } from 'vitest';
import type { ClientValidationModel, GatewayModel } from '#model/gateway/types.ts';
import {
  authority,
  certificate,
  compiled,
  gateway,
  grant,
  listener,
  listenerSet,
  reference,
  saidOf,
} from '../testing.ts';

const judge = (...keys: readonly string[]): ClientValidationModel => ({
  authorities: keys.map((key) => reference('', 'ConfigMap', key)),
  mode: 'AllowValidOnly',
});
const kind = (ofKind: string, group = ''): ClientValidationModel => ({
  authorities: [reference(group, ofKind, 'shop/ca')],
  mode: 'AllowValidOnly',
});
const authorities = [authority('ConfigMap', 'shop/ca'), authority('ConfigMap', 'other/ca')];
const edge = (validation: ClientValidationModel, part: Partial<GatewayModel> = {}) =>
  gateway('shop/edge', [listener('plain HTTP/80'), listener('secure HTTPS/443')], {
    clientValidation: { default: validation, perPort: new Map() },
    ...part,
  });

const refused = (reason: string) => [
  'Accepted False NoValidCACertificate',
  'Conflicted False NoConflicts',
  `ResolvedRefs False ${reason}`,
  'Programmed False Invalid',
];

test.each<[string, ClientValidationModel, readonly string[]]>([
  ['a ConfigMap that is not there', judge('shop/none'), refused('InvalidCACertificateRef')],
  ['a kind that is not known', kind('Service'), refused('InvalidCACertificateKind')],
  ['a group that is not known', kind('ConfigMap', 'else.example'), refused('InvalidCACertificateKind')],
  ["another namespace's without a grant", judge('other/ca'), refused('RefNotPermitted')],
  [
    'one of two',
    judge('shop/none', 'shop/ca'),
    [
      'Accepted True Accepted',
      'Conflicted False NoConflicts',
      'ResolvedRefs False InvalidCACertificateRef',
      'Programmed True Programmed',
    ],
  ],
])('%s', (_, validation, wanted) => {
  const { statuses } = compiled({ gateway: [edge(validation)], authority: authorities });
  const status = statuses.get('Gateway/shop/edge');
  expect(saidOf(status, 'secure')).toEqual(wanted);
  expect(saidOf(status, 'plain')).toContain('Programmed True Programmed');
});

test('a grant for the Gateway lets it judge by what another namespace has', () => {
  const { intents } = compiled({
    gateway: [edge(judge('other/ca', 'shop/ca'))],
    grant: [grant('other', 'Gateway shop', 'ConfigMap ca')],
    authority: authorities,
  });
  const intent = intents.get('shop/edge');
  expect(intent?.authorities).toEqual({
    default: { certificates: 'authorities of other/ca\nauthorities of shop/ca\n' },
  });
  expect(intent?.listeners['gateway/shop/edge/secure']).toMatchObject({
    clientValidation: { authority: 'default', mode: 'require' },
  });
  expect(intent?.listeners['gateway/shop/edge/plain']).not.toHaveProperty('clientValidation');
});

test('a port of its own has nothing of the default, even if it says nothing', () => {
  const listeners = ['a 443', 'b 8443', 'c 9443'].map((text) => listener(text.replace(' ', ' HTTPS/')));
  const perPort = new Map([
    [8443, { ...judge('other/ca'), authorities: [reference('', 'Secret', 'shop/ca')] }],
    [9443, undefined],
  ]);
  const { intents } = compiled({
    gateway: [gateway('shop/edge', listeners, { clientValidation: { default: judge('shop/ca'), perPort } })],
    authority: [...authorities, authority('Secret', 'shop/ca')],
  });
  const of = (name: string) =>
    intents.get('shop/edge')?.listeners[`gateway/shop/edge/${name}`]?.clientValidation;
  expect([of('a')?.authority, of('b')?.authority, of('c')]).toEqual(['default', 'port/8443', undefined]);
});

test('listeners of ListenerSets are asked the same', () => {
  const { intents } = compiled({
    gateway: [edge(judge('shop/ca'), { allowedListeners: { from: 'All' } })],
    listenerSet: [listenerSet('shop/more', 'shop/edge', [listener('a HTTPS/443 a.example')])],
    authority: authorities,
  });
  expect(intents.get('shop/edge')?.listeners['set/shop/more/a']).toMatchObject({
    clientValidation: { authority: 'default', mode: 'require' },
  });
});

test('a Gateway that lets clients in without a good certificate says so', () => {
  const { statuses, intents } = compiled({
    gateway: [edge({ ...judge('shop/ca'), mode: 'AllowInsecureFallback' })],
    authority: authorities,
  });
  expect(saidOf(statuses.get('Gateway/shop/edge'))).toContain(
    'InsecureFrontendValidationMode True ConfigurationChanged',
  );
  expect(intents.get('shop/edge')?.listeners['gateway/shop/edge/secure']?.clientValidation?.mode).toBe(
    'fallback',
  );
  expect(
    saidOf(compiled({ gateway: [edge(judge('shop/ca'))] }).statuses.get('Gateway/shop/edge')),
  ).not.toContain('InsecureFrontendValidationMode True ConfigurationChanged');
});

test.each([
  ['a Secret of its own', reference('', 'Secret', 'shop/client'), 'True ResolvedRefs'],
  ['one that is not there', reference('', 'Secret', 'shop/none'), 'False InvalidClientCertificateRef'],
  ['another group', reference('else.example', 'Secret', 'shop/client'), 'False InvalidClientCertificateRef'],
  ['another kind', reference('', 'ConfigMap', 'shop/client'), 'False InvalidClientCertificateRef'],
  ["another namespace's", reference('', 'Secret', 'other/client'), 'False RefNotPermitted'],
])('what the Gateway shows to backends: %s', (_, clientCertificate, wanted) => {
  const { statuses, intents } = compiled({
    gateway: [gateway('shop/edge', [listener('a HTTP/80')], { clientCertificate })],
    certificate: [certificate('shop/client'), certificate('other/client')],
  });
  expect(saidOf(statuses.get('Gateway/shop/edge'))).toEqual([
    'Accepted True Accepted',
    'Programmed True Programmed',
    `ResolvedRefs ${wanted}`,
  ]);
  expect(Object.keys(intents.get('shop/edge')?.certificates ?? {})).toEqual(
    wanted.startsWith('True') ? ['shop/client'] : [],
  );
});
