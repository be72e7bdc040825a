/** Options that several commands have. */
import type { OptionSpec } from './command.ts';

export const labOption: OptionSpec = {
  type: 'string',
  value: 'NAME',
  summary: 'which lab',
  default: 'default',
};
export const json: OptionSpec = { type: 'boolean', summary: 'print JSON' };
export const clusterOption: OptionSpec = {
  type: 'string',
  value: 'NAME',
  summary: 'ask this lab instead of the cluster of $KUBECONFIG (without either: lab default)',
};

export const filesOption: OptionSpec = {
  type: 'string',
  short: 'f',
  value: 'FILE|DIR',
  summary: 'answer from these manifests alone; - is standard input; may be repeated',
  many: true,
};

export const outputOption = (...choices: readonly string[]): OptionSpec => ({
  type: 'string',
  short: 'o',
  value: 'FORM',
  summary: 'how to print it',
  default: 'text',
  choices,
});

/** What a lab looks like. */
export const shape = {
  nodes: { type: 'string', value: 'K', summary: 'number of nodes', default: '3' },
  family: {
    type: 'string',
    value: 'FAMILY',
    summary: 'address families',
    default: 'dual',
    choices: ['ipv4', 'ipv6', 'dual'],
  },
  mode: {
    type: 'string',
    value: 'MODE',
    summary: 'how pods of different nodes reach each other',
    default: 'overlay',
    choices: ['overlay', 'routed', 'underlay'],
  },
  mtu: { type: 'string', value: 'BYTES', summary: 'MTU of the underlay', default: '1500' },
  segments: {
    type: 'string',
    value: 'S',
    summary: 'layer 2 segments behind the router that nodes are dealt out to, 1 or 2',
    default: '1',
  },
  bgp: { type: 'boolean', summary: 'the router speaks BGP, and every node with it' },
  'bgp-router': { type: 'boolean', summary: 'the router speaks BGP; no node does until an object says so' },
} as const satisfies Record<string, OptionSpec>;
