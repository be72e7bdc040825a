/** BGPNeighbor: a router, or other nodes, that nodes exchange routes with by BGP. */
import {
  conditionsSchema,
  group,
  labelSelectorSchema,
  type ObjectOf,
  readyColumns,
  version,
} from '../kind.ts';

const milliseconds = (description: string) =>
  ({ type: 'integer', format: 'int32', minimum: 10, maximum: 60_000, default: 300, description }) as const;

export const bgpNeighborKind = {
  group,
  version,
  kind: 'BGPNeighbor',
  plural: 'bgpneighbors',
  singular: 'bgpneighbor',
  shortNames: ['bgpn'],
  namespaced: false,
  summary:
    'A router that nodes announce the blocks of routed Subnets to by BGP, or a mesh of nodes that tell each other. ' +
    'Nothing that a neighbor announces is taken unless importPrefixes says so.',
  spec: {
    type: 'object',
    description: 'Who speaks with whom, and what is taken.',
    required: ['localASN'],
    properties: {
      address: {
        type: 'string',
        maxLength: 45,
        description: 'IPv4 or IPv6 address of a router. Either this or peerNodeSelector.',
      },
      peerNodeSelector: labelSelectorSchema(
        'Instead of an address: nodes with these labels are the neighbors of the nodes that nodeSelector takes, by ' +
          'internal BGP, one session a family.',
      ),
      nodeSelector: labelSelectorSchema('Nodes that have this neighbor. All when absent.'),
      asn: {
        'x-kubernetes-int-or-string': true,
        description: "The neighbor's AS number, or `internal` or `external`: localASN, or any other.",
      },
      localASN: {
        type: 'integer',
        format: 'int64',
        minimum: 1,
        maximum: 4_294_967_295,
        description: 'AS number of the nodes; the same in all BGPNeighbors that a node has.',
      },
      port: { type: 'integer', format: 'int32', minimum: 1, maximum: 65_535, default: 179 },
      families: {
        type: 'array',
        description:
          'What the session carries. Default: the family of the address. For both families over one session, both.',
        minItems: 1,
        maxItems: 2,
        'x-kubernetes-list-type': 'set',
        items: { type: 'string', enum: ['IPv4', 'IPv6'] },
      },
      passwordSecretRef: {
        type: 'object',
        description:
          'The password (TCP MD5, RFC 2385): printable ASCII without blanks, at most 80 characters.',
        required: ['name'],
        properties: {
          namespace: {
            type: 'string',
            maxLength: 63,
            default: 'netloom-system',
            description: 'In any other namespace agents must be given the right to read it.',
          },
          name: { type: 'string', minLength: 1, maxLength: 253 },
          key: { type: 'string', minLength: 1, maxLength: 253, default: 'password' },
        },
      },
      bfd: {
        type: 'object',
        description: 'Finds a dead neighbor within milliseconds (RFC 5880); `{}` for the defaults.',
        properties: {
          receiveInterval: milliseconds('Least milliseconds between two packets received.'),
          transmitInterval: milliseconds('Least milliseconds between two packets sent.'),
          detectMultiplier: {
            type: 'integer',
            format: 'int32',
            minimum: 2,
            maximum: 255,
            default: 3,
            description: 'So many lost in a row, and the neighbor is down.',
          },
        },
      },
      holdTime: {
        type: 'string',
        pattern: '^[0-9]{1,5}(s|m|h)$',
        description: 'For example `90s`; at least 3s. Default 180s.',
      },
      keepaliveTime: {
        type: 'string',
        pattern: '^[0-9]{1,5}(s|m|h)$',
        description: 'Less than holdTime. Default: a third of it.',
      },
      ebgpMultiHop: {
        type: 'boolean',
        default: false,
        description: 'The neighbor is in another AS and not on a network of the node.',
      },
      routeReflector: {
        type: 'object',
        description:
          'With peerNodeSelector: those nodes are route reflectors (RFC 4456) of the nodes that nodeSelector takes, ' +
          'and a full mesh among themselves.',
        required: ['clusterID'],
        properties: {
          clusterID: {
            type: 'string',
            maxLength: 15,
            description: 'The same on all reflectors of these clients, in the form of an IPv4 address.',
          },
        },
      },
      importPrefixes: {
        type: 'array',
        description:
          'What is taken from the neighbor and put into the routing table; nothing by default. Never taken: ' +
          'anything inside an overlay Subnet or a Service range. The default route only as `0.0.0.0/0` or `::/0`.',
        maxItems: 256,
        'x-kubernetes-list-type': 'atomic',
        items: {
          type: 'object',
          required: ['prefix'],
          properties: {
            prefix: { type: 'string', format: 'cidr', maxLength: 43 },
            ge: {
              type: 'integer',
              format: 'int32',
              minimum: 0,
              maximum: 128,
              description: 'Also prefixes inside, of at least this length.',
            },
            le: {
              type: 'integer',
              format: 'int32',
              minimum: 0,
              maximum: 128,
              description: 'Also prefixes inside, of at most this length.',
            },
          },
        },
      },
    },
  },
  status: {
    type: 'object',
    properties: {
      conditions: conditionsSchema,
      summary: {
        type: 'string',
        description: 'Nodes whose sessions all stand, of all nodes that have them.',
      },
      sessions: {
        type: 'object',
        description: 'By node: its sessions with this neighbor, as FRR sees them.',
        additionalProperties: {
          type: 'object',
          required: ['state'],
          properties: {
            state: {
              type: 'string',
              description: '`Established`, or the state of the session that is furthest from it.',
            },
            since: { type: 'string', format: 'date-time', description: 'Established since.' },
            sessions: { type: 'integer', format: 'int32', description: 'How many sessions.' },
            established: { type: 'integer', format: 'int32', description: 'How many stand.' },
            received: { type: 'integer', format: 'int32', description: 'Prefixes accepted from it.' },
            sent: { type: 'integer', format: 'int32', description: 'Prefixes announced to it.' },
            bfd: { type: 'string', description: 'State of BFD, if it is asked for.' },
            message: { type: 'string', maxLength: 1024, description: 'Why a session does not stand.' },
          },
        },
      },
    },
  },
  rules: [
    {
      rule: 'has(self.spec.address) != has(self.spec.peerNodeSelector)',
      message: 'spec: either address or peerNodeSelector',
    },
  ],
  columns: [
    { name: 'Address', type: 'string', jsonPath: '.spec.address' },
    { name: 'ASN', type: 'string', jsonPath: '.spec.asn' },
    { name: 'Local-ASN', type: 'integer', jsonPath: '.spec.localASN' },
    { name: 'Established', type: 'string', jsonPath: '.status.summary' },
    ...readyColumns,
  ],
} as const;

export type BGPNeighbor = ObjectOf<typeof bgpNeighborKind>;
