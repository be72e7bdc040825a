/** Every kind that has rules beyond its schema, by table. */
import { tableOf } from '../kinds.ts';
import type { ServedKind } from '../types.ts';
import { crdStrategy } from './crd.ts';
import { namespaceStrategy } from './namespace.ts';
import { podStrategy } from './pod.ts';
import { serviceStrategy } from './service.ts';
import type { Strategy } from './strategy.ts';

const plain: Strategy = {};
const counted: Strategy = { generation: true };

const strategies: ReadonlyMap<string, Strategy> = new Map<string, Strategy>([
  ['/namespaces', namespaceStrategy],
  ['/nodes', { keepsStatusOnCreate: true }],
  ['/pods', podStrategy],
  ['/services', serviceStrategy],
  ['admissionregistration.k8s.io/validatingadmissionpolicies', counted],
  ['admissionregistration.k8s.io/validatingadmissionpolicybindings', counted],
  ['apiextensions.k8s.io/customresourcedefinitions', crdStrategy],
  ['apps/daemonsets', counted],
  ['apps/deployments', counted],
  ['apps/replicasets', counted],
  ['apps/statefulsets', counted],
  ['batch/cronjobs', counted],
  ['batch/jobs', counted],
  ['discovery.k8s.io/endpointslices', counted],
  ['networking.k8s.io/ingressclasses', counted],
  ['networking.k8s.io/ingresses', counted],
  ['networking.k8s.io/networkpolicies', counted],
  ['policy/poddisruptionbudgets', counted],
  ['scheduling.k8s.io/priorityclasses', counted],
]);

/** The rules of a kind; custom resources count generations and have no others. */
export function strategyOf(kind: ServedKind): Strategy {
  return strategies.get(tableOf(kind)) ?? (kind.fromCrd ? counted : plain);
}
