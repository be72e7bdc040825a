/** The Node is told when Services are left to kube-proxy and when that is over, once each. */
import { expect, it } from 'vitest';
import type { EventInput } from '#kube/events.ts';
import { tellOfAbsentNodes, tellOfKubeProxy } from './node-events.ts';

it('tells of a change, and not of every status', () => {
  const events: string[] = [];
  const self = {
    origin: { kind: 'Node', name: 'n1' },
    node: 'n1',
    nodeUID: 'u1',
    addresses: [],
    blocks: [],
    tunnelAddresses: [],
    assignUntil: 0,
  };
  const event = ({ reason, note, regarding }: EventInput) =>
    void events.push(`${regarding.kind} ${regarding.name} ${regarding.uid} ${reason}: ${note}`);
  const tell = tellOfKubeProxy({ event }, () => self);
  tell({});
  expect(events).toEqual([]);
  tell({ servicesWithheld: 'kube-proxy is here' });
  tell({ servicesWithheld: 'kube-proxy is here' });
  tell({});
  tell({});
  expect(events).toEqual([
    'Node n1 u1 KubeProxyPresent: kube-proxy is here',
    "Node n1 u1 ServicesServed: this node's Services are served by Netloom",
  ]);
});

it('tells of nodes that died, where it is the one to tell', async () => {
  const events: string[] = [];
  const event = ({ type, reason, regarding }: EventInput) =>
    void events.push(`${type} ${regarding.name} ${regarding.uid} ${reason}`);
  const tell = tellOfAbsentNodes({ event }, (name) =>
    Promise.resolve(name === 'gone' ? undefined : { uid: `uid-${name}` }),
  );
  const since = '2026-01-01T00:00:00Z';
  const dead = { node: 'n2', state: 'dead', since } as const;
  const mine = { ...dead, teller: true } as const;
  tell({ absent: [dead] });
  tell({ absent: [mine, { ...mine, node: 'gone' }] });
  tell({ absent: [mine] });
  // Another node has become the first to tell; it says the same, and nothing is told twice.
  tell({ absent: [dead] });
  tell({ absent: [{ ...mine, state: 'silent' }] });
  tell({});
  tell({});
  await new Promise((resolve) => setImmediate(resolve));
  expect(events).toEqual([
    'Warning n2 uid-n2 NodeUnreachable',
    'Warning n2 uid-n2 DatapathSilent',
    'Normal n2 uid-n2 NodeReachable',
  ]);
});
