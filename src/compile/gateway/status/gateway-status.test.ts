/** What is said of classes and Gateways, case by case. */
import { expect, test } from 'vitest';
import type { GatewayModel } from '#model/gateway/types.ts';
import { supportedFeatures } from '../features.ts';
import { httpRoute, httpRule } from '../samples.ts';
import { compiled, gateway, gatewayClass, listener, parent, reference, running, saidOf } from '../testing.ts';
import type { InstanceFacts } from '../types.ts';

const web = listener('web HTTP/80');
const odd = listener('odd SCTP/80');
const at = (...values: readonly string[]): Partial<GatewayModel> => ({
  addresses: values.map((value) => ({ type: 'IPAddress', value })),
});
const has = (...values: readonly string[]): InstanceFacts => ({
  addresses: values.map((value) => ({ type: 'IPAddress', value })),
});
const resolved = 'ResolvedRefs True ResolvedRefs';

test.each<[string, GatewayModel, InstanceFacts | undefined, readonly string[]]>([
  [
    'all is well',
    gateway('shop/edge', [web]),
    running,
    ['Accepted True Accepted', 'Programmed True Programmed', resolved],
  ],
  [
    'no data plane yet',
    gateway('shop/edge', [web]),
    undefined,
    ['Accepted True Accepted', 'Programmed False Pending', resolved],
  ],
  [
    'a data plane that is not ready',
    gateway('shop/edge', [web]),
    { ...running, waiting: 'Its pod starts' },
    ['Accepted True Accepted', 'Programmed False Pending', resolved],
  ],
  [
    'no address',
    gateway('shop/edge', [web]),
    { addresses: [], waiting: 'No pool has a free address' },
    ['Accepted True Accepted', 'Programmed False AddressNotAssigned', resolved],
  ],
  [
    'the address that it asks for',
    gateway('shop/edge', [web], at('192.0.2.7')),
    has('192.0.2.7'),
    ['Accepted True Accepted', 'Programmed True Programmed', resolved],
  ],
  [
    'another one than it asks for',
    gateway('shop/edge', [web], at('192.0.2.7')),
    has('192.0.2.1'),
    ['Accepted True Accepted', 'Programmed False AddressNotUsable', resolved],
  ],
  [
    'one of two that it asks for',
    gateway('shop/edge', [web], at('192.0.2.7', '192.0.2.8')),
    has('192.0.2.7'),
    ['Accepted True Accepted', 'Programmed False AddressNotUsable', resolved],
  ],
  [
    'an address of any value',
    gateway('shop/edge', [web], { addresses: [{ type: 'IPAddress' }] }),
    running,
    ['Accepted True Accepted', 'Programmed True Programmed', resolved],
  ],
  [
    'an address by name',
    gateway('shop/edge', [web], { addresses: [{ type: 'Hostname', value: 'a.example' }] }),
    running,
    ['Accepted False UnsupportedAddress', 'Programmed False Invalid', resolved],
  ],
  [
    'parameters that can’t be used',
    gateway('shop/edge', [web]),
    { ...running, invalidParameters: 'There is no ConfigMap' },
    ['Accepted False InvalidParameters', 'Programmed False Invalid', resolved],
  ],
  [
    'one of two listeners',
    gateway('shop/edge', [web, odd]),
    running,
    ['Accepted True ListenersNotValid', 'Programmed True Programmed', resolved],
  ],
  [
    'no listener that can be served',
    gateway('shop/edge', [odd]),
    running,
    ['Accepted False ListenersNotValid', 'Programmed False Invalid', resolved],
  ],
  [
    'no certificate for its only listener',
    gateway('shop/edge', [listener('a HTTPS/443', {}, [])]),
    running,
    ['Accepted True Accepted', 'Programmed False Invalid', 'ResolvedRefs False ListenersNotResolved'],
  ],
])('%s', (_, one, facts, wanted) => {
  const { statuses } = compiled(
    { gateway: [one] },
    new Map(facts === undefined ? [] : [['shop/edge', facts]]),
  );
  expect(saidOf(statuses.get('Gateway/shop/edge'))).toEqual(wanted);
});

test('what is served stays served while an address or parameters are wrong', () => {
  const one = gateway('shop/edge', [web], { addresses: [{ type: 'Hostname', value: 'a.example' }] });
  expect(Object.keys(compiled({ gateway: [one] }).intents.get('shop/edge')?.listeners ?? {})).toHaveLength(1);
});

test('a class that names us is accepted, and says what is served', () => {
  const { statuses } = compiled({});
  expect(statuses.get('GatewayClass/netloom')).toMatchObject({ supportedFeatures });
  expect(saidOf(statuses.get('GatewayClass/netloom'))).toEqual([
    'Accepted True Accepted',
    'SupportedVersion True SupportedVersion',
  ]);
  expect([...supportedFeatures].sort()).toEqual(supportedFeatures);
});

test('a class with parameters is refused, and its Gateways wait', () => {
  const { statuses, intents } = compiled({
    class: [gatewayClass({ parameters: reference('', 'ConfigMap', 'shop/x') })],
    gateway: [gateway('shop/edge', [web])],
    route: [httpRoute([httpRule()], { parents: [parent('Gateway shop/edge')] })],
  });
  expect(saidOf(statuses.get('GatewayClass/netloom'))?.[0]).toBe('Accepted False InvalidParameters');
  expect(saidOf(statuses.get('Gateway/shop/edge'))?.slice(0, 2)).toEqual([
    'Accepted Unknown Pending',
    'Programmed Unknown Pending',
  ]);
  expect(intents.get('shop/edge')?.listeners).toEqual({});
});

test.each([
  ['of another controller', [gatewayClass({ controllerName: 'else.example/gateway' })]],
  ['that is not there', []],
])('of Gateways of a class %s nothing is said', (_, classes) => {
  const { statuses, intents } = compiled({
    class: classes,
    gateway: [gateway('shop/edge', [web])],
    route: [httpRoute([httpRule()], { parents: [parent('Gateway shop/edge')] })],
  });
  expect([statuses.size, intents.size]).toEqual([0, 0]);
});
