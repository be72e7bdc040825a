/** IPPool: a named part of a Subnet, kept for some pods. */
import { conditionsSchema, group, labelSelectorSchema, type ObjectOf, version } from '../kind.ts';

/** How many holders a pool's status lists; a thousand more are a number. */
export const listedHolders = 100;

export const ipPoolKind = {
  group,
  version,
  kind: 'IPPool',
  plural: 'ippools',
  singular: 'ippool',
  shortNames: ['ipp'],
  namespaced: false,
  summary:
    'A named part of a Subnet, kept for the pods of some namespaces or workloads; no other pod gets an address of it. ' +
    'A pod takes from it when the pool selects the pod, or when pod or namespace have the annotation `netloom.dev/ip-pool`.',
  spec: {
    type: 'object',
    description: 'Which addresses, and for whom.',
    required: ['subnet', 'addresses'],
    properties: {
      subnet: { type: 'string', maxLength: 253, description: 'The Subnet that it is part of.' },
      addresses: {
        type: 'array',
        description: 'What is in the pool: an address, a range `a-b`, or a prefix.',
        minItems: 1,
        maxItems: 256,
        'x-kubernetes-list-type': 'set',
        items: { type: 'string', maxLength: 91 },
      },
      namespaces: {
        type: 'array',
        description:
          'Namespaces that may use the pool. Without these and without a selector of namespaces, those that the Subnet allows.',
        maxItems: 1024,
        'x-kubernetes-list-type': 'set',
        items: { type: 'string', maxLength: 63 },
      },
      namespaceSelector: labelSelectorSchema(
        'Namespaces with these labels may use the pool. An empty selector takes every namespace.',
      ),
      podSelector: labelSelectorSchema(
        'Pods with these labels take from the pool without asking. Missing: all pods of the namespaces that the pool names.',
      ),
    },
  },
  status: {
    type: 'object',
    properties: {
      conditions: conditionsSchema,
      usage: {
        type: 'string',
        description: 'Held and all addresses, by family: `3/20` or, of a dual-stack pool, `3/20 3/256`.',
      },
      held: {
        type: 'integer',
        format: 'int32',
        description: 'Addresses that pods hold, or held a moment ago.',
      },
      free: { type: 'string', description: 'Addresses that a pod can get now, by family.' },
      holders: {
        type: 'array',
        description: `Who has which address, in order of address; the first ${listedHolders}.`,
        'x-kubernetes-list-type': 'atomic',
        items: {
          type: 'object',
          required: ['address', 'pod', 'node'],
          properties: {
            address: { type: 'string', description: 'One address.' },
            pod: { type: 'string', description: '`namespace/name`.' },
            node: { type: 'string', description: 'Where it runs, or ran last.' },
            kept: { type: 'string', description: 'For whom it is kept while no pod has it.' },
          },
        },
      },
    },
  },
  rules: [
    {
      rule: '!has(oldSelf.spec) || self.spec.subnet == oldSelf.spec.subnet',
      message: "spec.subnet: can't change while the IPPool exists; make a new IPPool",
    },
  ],
  columns: [
    { name: 'Subnet', type: 'string', jsonPath: '.spec.subnet' },
    { name: 'Addresses', type: 'string', jsonPath: '.spec.addresses' },
    { name: 'Used', type: 'string', jsonPath: '.status.usage' },
    { name: 'Free', type: 'string', jsonPath: '.status.free' },
    { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].reason' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
} as const;

export type IPPool = ObjectOf<typeof ipPoolKind>;
