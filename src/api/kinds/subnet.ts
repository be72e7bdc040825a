/** Subnet: addresses for the pods of some namespaces, and how they travel. */
import { conditionsSchema, group, labelSelectorSchema, type ObjectOf, version } from '../kind.ts';

/** metav1.LabelSelector. */
/** Decimal strings: an IPv6 prefix has more addresses than a JSON number can count. */
const addressCounts = {
  type: 'object',
  required: ['total', 'held', 'used', 'available'],
  properties: {
    total: { type: 'string', description: 'Addresses that pods can have without asking for one by name.' },
    held: { type: 'string', description: 'Those in blocks that nodes hold.' },
    used: {
      type: 'string',
      description: 'Those that pods and nodes have, as the nodes said when they last renewed their lease.',
    },
    available: { type: 'string', description: 'Those that nobody has: `total` less `used`.' },
  },
} as const;

export const subnetKind = {
  group,
  version,
  kind: 'Subnet',
  plural: 'subnets',
  singular: 'subnet',
  shortNames: ['sn'],
  namespaced: false,
  summary:
    'Addresses for the pods of some namespaces, and how their packets travel between nodes. ' +
    'The Subnet named `default` serves every namespace that no other Subnet names.',
  spec: {
    type: 'object',
    description: 'Which addresses, for whom, and how they travel.',
    required: ['cidrs'],
    properties: {
      cidrs: {
        type: 'array',
        description:
          'Prefixes that pod addresses come from, of one family or both. More may be added and each may be widened while ' +
          'pods run. One that is taken away or narrowed gives no more addresses, and stays in effect (`status.cidrs`) until ' +
          'the last block of it is given back.',
        minItems: 1,
        maxItems: 32,
        'x-kubernetes-list-type': 'atomic',
        items: { type: 'string', format: 'cidr', maxLength: 43 },
      },
      mode: {
        type: 'string',
        description:
          '`overlay`: VXLAN between nodes; works on any network. ' +
          '`routed`: no encapsulation: plain routes between nodes of one layer 2 segment, and across routers by BGP (BGPNeighbor). ' +
          "`underlay`: addresses of the physical network: each node answers ARP and neighbour discovery for its pods, so hosts on the nodes' layer 2 segment reach them without routes or NAT.",
        enum: ['overlay', 'routed', 'underlay'],
        default: 'overlay',
      },
      crossSubnet: {
        type: 'boolean',
        description:
          'For mode overlay: nodes of one layer 2 segment (as the prefix of their underlay address tells) send ' +
          'without the tunnel; across routers the tunnel is used.',
        default: false,
      },
      namespaces: {
        type: 'array',
        description: 'Namespaces whose pods take addresses from here. A name wins over a selector.',
        maxItems: 1024,
        'x-kubernetes-list-type': 'set',
        items: { type: 'string', maxLength: 63 },
      },
      namespaceSelector: labelSelectorSchema(
        'Namespaces with these labels. An empty selector takes every namespace.',
      ),
      excludedAddresses: {
        type: 'array',
        description:
          'Addresses that no pod gets: an address, a range `a-b`, or a prefix. In mode `underlay` name here all that other ' +
          "hosts have or may get (DHCP): the rest is taken to be pods. The nodes' own addresses and the gateway need not be named.",
        maxItems: 256,
        'x-kubernetes-list-type': 'set',
        items: { type: 'string', maxLength: 91 },
      },
      reservedAddresses: {
        type: 'array',
        description:
          'Addresses that only a pod that asks for them by annotation gets: an address, a range `a-b`, or a prefix.',
        maxItems: 256,
        'x-kubernetes-list-type': 'set',
        items: { type: 'string', maxLength: 91 },
      },
      gateway: {
        type: 'array',
        description:
          'At most one address of each prefix, which no pod gets. Underlay pods reach by it what is not on their own network; ' +
          "without one they go the node's way. Overlay and routed pods send everything to their node, so there it is only kept free.",
        maxItems: 32,
        'x-kubernetes-list-type': 'set',
        items: { type: 'string', maxLength: 45 },
      },
      private: {
        type: 'boolean',
        description:
          'Only pods of this Subnet, nodes, `allowSubnets` and `allowInboundFrom` may open connections to its pods.',
        default: false,
      },
      allowSubnets: {
        type: 'array',
        description:
          'Who else may open connections to the pods of a private Subnet: a name of a Subnet, or a prefix.',
        maxItems: 256,
        'x-kubernetes-list-type': 'set',
        items: { type: 'string', maxLength: 253 },
      },
      blockSizes: {
        type: 'object',
        description: 'Prefix lengths of the blocks that nodes claim.',
        properties: {
          ipv4: { type: 'integer', format: 'int32', minimum: 16, maximum: 32, default: 26 },
          ipv6: { type: 'integer', format: 'int32', minimum: 64, maximum: 128, default: 122 },
        },
        default: {},
      },
      outboundAddress: {
        type: 'string',
        description:
          'What a destination outside the cluster sees: the address of the `Node` or of the `Pod`. ' +
          'Default: `Pod` in mode `underlay`, else `Node`.',
        enum: ['Node', 'Pod'],
      },
      allowInboundFrom: {
        type: 'array',
        description:
          'Prefixes outside the cluster that may open connections to these pods. Without this field: everybody in mode ' +
          '`underlay`, else nobody. An empty list: nobody.',
        maxItems: 256,
        'x-kubernetes-list-type': 'set',
        items: { type: 'string', format: 'cidr', maxLength: 43 },
      },
    },
  },
  status: {
    type: 'object',
    properties: {
      conditions: conditionsSchema,
      cidrs: {
        type: 'array',
        description:
          'Prefixes in effect: those of the spec, and what was taken out of it while nodes hold blocks there.',
        'x-kubernetes-list-type': 'atomic',
        items: { type: 'string', maxLength: 43 },
      },
      ipv4: { ...addressCounts, description: 'How many IPv4 addresses; missing without an IPv4 prefix.' },
      ipv6: { ...addressCounts, description: 'How many IPv6 addresses; missing without an IPv6 prefix.' },
      nodes: { type: 'integer', format: 'int32', description: 'Nodes that hold blocks.' },
      blocks: { type: 'integer', format: 'int32', description: 'Blocks that nodes hold.' },
      namespaces: { type: 'integer', format: 'int32', description: 'Namespaces served.' },
    },
  },
  rules: [
    {
      rule: '!has(oldSelf.spec) || !has(oldSelf.spec.mode) || self.spec.mode == oldSelf.spec.mode',
      message: "spec.mode: can't change while the Subnet exists; make a new Subnet and move the namespaces",
    },
  ],
  columns: [
    { name: 'CIDRs', type: 'string', jsonPath: '.spec.cidrs' },
    { name: 'Mode', type: 'string', jsonPath: '.spec.mode' },
    { name: 'Private', type: 'boolean', jsonPath: '.spec.private', priority: 1 },
    { name: 'Namespaces', type: 'integer', jsonPath: '.status.namespaces', priority: 1 },
    { name: 'V4 used', type: 'string', jsonPath: '.status.ipv4.used' },
    { name: 'V4 available', type: 'string', jsonPath: '.status.ipv4.available' },
    { name: 'V6 used', type: 'string', jsonPath: '.status.ipv6.used' },
    { name: 'V6 available', type: 'string', jsonPath: '.status.ipv6.available' },
    { name: 'Nodes', type: 'integer', jsonPath: '.status.nodes', priority: 1 },
    { name: 'Blocks', type: 'integer', jsonPath: '.status.blocks' },
    { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    {
      name: 'Reason',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
      priority: 1,
    },
    {
      name: 'Carried',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="UnderlayCarries")].status',
      priority: 1,
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
} as const;

export type Subnet = ObjectOf<typeof subnetKind>;
