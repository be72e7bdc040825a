/** The Node is told when Services are left to kube-proxy and when that is over, once each. */
import { expect, it } from 'vitest';
import type { EventInput } from '#kube/events.ts';
import { tellOfKubeProxy } from './node-events.ts';

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
