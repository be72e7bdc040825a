/** BGPPeer (MetalLB): a router that nodes announce addresses of Services to. */
import { conditionsSchema, type ObjectOf, readyColumns } from '../kind.ts';
import { metallbGroup, metallbSelectorsSchema } from './metallbparts.ts';

const asn = (description: string, minimum = 0) =>
  ({ type: 'integer', format: 'int64', minimum, maximum: 4_294_967_295, description }) as const;

export const bgpPeerKind = {
  group: metallbGroup,
  version: 'v1beta2',
  olderVersions: ['v1beta1'],
  kind: 'BGPPeer',
  plural: 'bgppeers',
  singular: 'bgppeer',
  shortNames: [],
  namespaced: true,
  specless: true,
  summary:
    'a router that nodes announce addresses of Services to by BGP. Nothing that it announces is taken.',
  spec: {
    type: 'object',
    description: 'Who speaks with whom, and how.',
    required: ['myASN'],
    properties: {
      myASN: asn('AS number of the nodes; the same in all BGPPeers and BGPNeighbors that a node has.'),
      localASN: asn(
        'AS number that this peer sees instead of myASN. Only for a peer in another AS than both.',
        1,
      ),
      peerASN: asn("The peer's AS number. Either this or dynamicASN."),
      dynamicASN: {
        type: 'string',
        enum: ['internal', 'external'],
        description: 'Instead of a number: myASN, or any other.',
      },
      peerAddress: { type: 'string', description: 'IPv4 or IPv6 address. Either this or interface.' },
      interface: {
        type: 'string',
        description:
          'Device of the node that the peer is found on, by IPv6 router advertisements (unnumbered).',
      },
      sourceAddress: {
        type: 'string',
        description: "Address of the node that it speaks from. Default: the Node's own.",
      },
      peerPort: {
        type: 'integer',
        minimum: 0,
        maximum: 16_384,
        default: 179,
        description: '0, which v1beta1 allows, is 179.',
      },
      holdTime: { type: 'string', description: 'For example `90s`: at least 3s, or 0s, which is never.' },
      keepaliveTime: { type: 'string', description: 'At most holdTime. Default: a third of it.' },
      connectTime: {
        type: 'string',
        description: 'Time until a lost session is tried again, in whole seconds. Default: 5s.',
        'x-kubernetes-validations': [
          {
            message: 'connect time should be between 1 seconds to 65535',
            rule: 'duration(self).getSeconds() >= 1 && duration(self).getSeconds() <= 65535',
          },
          {
            message: 'connect time should contain a whole number of seconds',
            rule: 'duration(self).getMilliseconds() % 1000 == 0',
          },
        ],
      },
      routerID: {
        type: 'string',
        description: "In the form of an IPv4 address. Default: the Node's. The same in all peers of a node.",
      },
      nodeSelectors: metallbSelectorsSchema(
        'Nodes that one of these takes have the peer. None given: all nodes.',
      ),
      password: { type: 'string', description: 'For TCP MD5 (RFC 2385). Everybody who reads this reads it.' },
      passwordSecret: {
        type: 'object',
        'x-kubernetes-map-type': 'atomic',
        description:
          'A Secret of type `kubernetes.io/basic-auth` whose key `password` it is, in the namespace of the BGPPeer.',
        properties: { name: { type: 'string' }, namespace: { type: 'string' } },
      },
      bfdProfile: { type: 'string', description: 'A BFDProfile of the same namespace.' },
      enableGracefulRestart: {
        type: 'boolean',
        description: "The peer keeps a node's routes while FRR restarts there (RFC 4724).",
        'x-kubernetes-validations': [
          { message: 'EnableGracefulRestart cannot be changed after creation', rule: 'self == oldSelf' },
        ],
      },
      ebgpMultiHop: {
        type: 'boolean',
        description: 'The peer is in another AS and not on a network of the node.',
      },
      vrf: {
        type: 'string',
        description: 'VRF device of the node that the peer is behind. Default: the main table.',
      },
      disableMP: {
        type: 'boolean',
        default: false,
        description: 'Each session carries its own family only, as it does without. Deprecated.',
      },
      dualStackAddressFamily: {
        type: 'boolean',
        default: false,
        description: "The session carries both families, not only its address's.",
      },
    },
  },
  status: {
    type: 'object',
    properties: {
      conditions: conditionsSchema,
      sessions: {
        type: 'object',
        description: 'By node: its session with this peer, as FRR sees it.',
        additionalProperties: {
          type: 'object',
          required: ['state'],
          properties: {
            state: { type: 'string', description: '`Established`, `Down`, `Refused` or `Unknown`.' },
            since: { type: 'string', format: 'date-time', description: 'Established since.' },
            sessions: { type: 'integer', format: 'int32', description: 'How many sessions.' },
            established: { type: 'integer', format: 'int32', description: 'How many stand.' },
            received: { type: 'integer', format: 'int32', description: 'Prefixes accepted from it: none.' },
            sent: { type: 'integer', format: 'int32', description: 'Prefixes announced to it.' },
            bfd: { type: 'string', description: 'State of BFD, if it is asked for.' },
            message: { type: 'string', maxLength: 1024, description: 'Why the session does not stand.' },
          },
        },
      },
    },
  },
  columns: [
    { name: 'Address', type: 'string', jsonPath: '.spec.peerAddress' },
    { name: 'ASN', type: 'string', jsonPath: '.spec.peerASN' },
    { name: 'BFD Profile', type: 'string', jsonPath: '.spec.bfdProfile' },
    { name: 'Multi Hops', type: 'string', jsonPath: '.spec.ebgpMultiHop' },
    ...readyColumns,
  ],
} as const;

export type BGPPeer = ObjectOf<typeof bgpPeerKind>;
