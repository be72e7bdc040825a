/** BFDProfile (MetalLB): how fast a dead peer is found. */
import { conditionsSchema, type ObjectOf } from '../kind.ts';
import { metallbGroup } from './metallbparts.ts';

const milliseconds = (description: string) =>
  ({ type: 'integer', format: 'int32', minimum: 10, maximum: 60_000, description }) as const;

export const bfdProfileKind = {
  group: metallbGroup,
  version: 'v1beta1',
  kind: 'BFDProfile',
  plural: 'bfdprofiles',
  singular: 'bfdprofile',
  shortNames: [],
  namespaced: true,
  specless: true,
  summary: 'timers of BFD (RFC 5880), by which a dead BGPPeer is found within milliseconds.',
  spec: {
    type: 'object',
    description: 'All optional.',
    properties: {
      receiveInterval: milliseconds('Least milliseconds between two packets received. Default: 300.'),
      transmitInterval: milliseconds('Least milliseconds between two packets sent. Default: 300.'),
      detectMultiplier: {
        type: 'integer',
        format: 'int32',
        minimum: 2,
        maximum: 255,
        description: 'So many lost in a row, and the peer is down. Default: 3.',
      },
      echoInterval: milliseconds(
        'Least milliseconds between two echo packets, received and sent. Default: 50.',
      ),
      echoMode: {
        type: 'boolean',
        description: 'Packets that come back by themselves, besides (RFC 5880 §6.4). Only for IPv4.',
      },
      passiveMode: { type: 'boolean', description: 'Waits for the peer to begin.' },
      minimumTtl: {
        type: 'integer',
        format: 'int32',
        minimum: 1,
        maximum: 254,
        description: 'Of packets of peers that are several hops away: what has less is no packet of theirs.',
      },
    },
  },
  status: { type: 'object', properties: { conditions: conditionsSchema } },
  columns: [
    { name: 'Passive Mode', type: 'boolean', jsonPath: '.spec.passiveMode' },
    { name: 'Transmit Interval', type: 'integer', jsonPath: '.spec.transmitInterval' },
    { name: 'Receive Interval', type: 'integer', jsonPath: '.spec.receiveInterval' },
    { name: 'Multiplier', type: 'integer', jsonPath: '.spec.detectMultiplier' },
  ],
} as const;

export type BFDProfile = ObjectOf<typeof bfdProfileKind>;
