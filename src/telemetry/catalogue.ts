/** The catalogue of problems: every code that an object or a node can be told, how grave it is, and what a user can do. */

/** `error`: the object, or a part of it, is not in effect. `warning`: it is in effect, but not as its author will expect. */
export type Severity = 'error' | 'warning';

export type ProblemKind = {
  readonly severity: Severity;
  /** The condition that turns False (error only): `Accepted` for what the object says, `Ready` for what became of it. */
  readonly condition: 'Accepted' | 'Ready';
  /** What it means, for docs and `netloom explain`. */
  readonly title: string;
  readonly remedy: string;
};

const refused = (title: string, remedy: string): ProblemKind => ({
  severity: 'error',
  condition: 'Accepted',
  title,
  remedy,
});
const unmet = (title: string, remedy: string): ProblemKind => ({
  severity: 'error',
  condition: 'Ready',
  title,
  remedy,
});
const doubtful = (title: string, remedy: string): ProblemKind => ({
  severity: 'warning',
  condition: 'Ready',
  title,
  remedy,
});

/** By code: CamelCase, used as the condition's and the event's reason. A code is never given a second meaning. */
export const catalogue = {
  ASNConflict: refused(
    'Two BGPNeighbors or BGPPeers of one node say different AS numbers for it.',
    'Give all BGPNeighbors and BGPPeers that a node has one localASN (myASN); the oldest one stays.',
  ),
  AddressKept: doubtful(
    'An address of a Service was taken out of its IPAddressPool: it stays with the Service, and no other gets it.',
    'Add it to a pool again; or make the Service anew, and it gets another one.',
  ),
  AddressOutside: refused(
    'An address is not part of the Subnet that names it.',
    'Correct it, or add its prefix to spec.cidrs.',
  ),
  AllocationFailed: unmet(
    'A Service of type LoadBalancer has no address, or not all that it asks for.',
    'See the message; it gets the first one that comes free, without being touched.',
  ),
  AnnotationRefused: doubtful(
    'An annotation of an Ingress is not in effect; all else of it is served.',
    'Use what the message says, or remove it; docs/ingress.md lists them all.',
  ),
  BlockOutside: unmet(
    'Nodes hold blocks that are not part of their Subnet.',
    'Add their prefix to spec.cidrs again, or delete the pods that have addresses there.',
  ),
  CIDRInUse: doubtful(
    'A prefix was taken out of a Subnet while nodes hold blocks of it: it stays in effect, without new pods.',
    'Delete the pods that have addresses there, or add the prefix again.',
  ),
  DuplicateFamily: refused('Two addresses or prefixes of one family.', 'Keep one a family.'),
  DuplicateFrontend: unmet(
    'Two Services have the same address, protocol and port.',
    'Change or delete one; what the cluster allocated, else the older one, stays in effect.',
  ),
  DuplicateName: refused('Two ports of a Service have one name.', 'Name each port otherwise.'),
  DuplicatePool: refused(
    'Two IPAddressPools in different namespaces have one name.',
    'Name one otherwise; the older one stays.',
  ),
  DuplicatePort: refused('A Service has one port and protocol twice.', 'Remove one.'),
  EqualPriority: doubtful(
    'Two policies of one tier have the same priority.',
    'Give each its own; until then ClusterNetworkPolicies are asked first, then the first by name.',
  ),
  ExceptionOutside: refused(
    'An exception is no part of the block that it is taken from, or all of it.',
    'Write prefixes that lie inside of the block and are smaller than it.',
  ),
  ExternalAddressRefused: unmet(
    'A Service has external addresses, and the cluster serves none.',
    'Use a load balancer or a node port, or run agents and controller with --external-ips=serve.',
  ),
  ForbiddenAddress: refused(
    'An endpoint or a Service has an address that none can have (loopback, link-local, multicast, reserved).',
    'Give another address.',
  ),
  InvalidASN: refused(
    'An AS number is not one, or reserved.',
    'Write a number of your own or a private one, such as 64512.',
  ),
  InvalidAddress: refused('An address is not one.', 'Write an IPv4 or IPv6 address in its usual form.'),
  InvalidAnnotation: refused(
    'An annotation of netloom.dev says what can not be.',
    'See the message; a pod with a bad one waits until it is made again without it.',
  ),
  InvalidCIDR: refused(
    'A prefix is not one, or has host bits set.',
    'Write the network address and its length.',
  ),
  InvalidCertificate: refused(
    'A Secret or ConfigMap has no certificate, one that is none, or one of another key.',
    'Put PEM into tls.crt and tls.key of a Secret, or into ca.crt.',
  ),
  InvalidCommunity: refused(
    'A BGP community is none, or a name that no Community of the namespace has.',
    'Write 65000:100, large:65000:1:2, or a name that a Community gives.',
  ),
  InvalidGateway: refused(
    'A gateway is an address that can be none, or the second one of its prefix.',
    'Name one address of each prefix, neither its first nor its IPv4 broadcast address.',
  ),
  InvalidHeader: refused(
    'A header has a name or value that it can not have, or belongs to the connection.',
    'Write a name of letters, digits and -, and printable ASCII; see the message.',
  ),
  InvalidHostname: refused(
    'A hostname is none.',
    'Write a DNS name in lower case, perhaps with `*.` before it.',
  ),
  InvalidInterface: refused(
    'A name is none that a network device can have.',
    'Use at most 15 characters, no blank, `/` or `:`.',
  ),
  InvalidPath: refused(
    'A path is none that is looked up.',
    'Write one that begins with /, in the characters of RFC 3986, without //, /./ and /../.',
  ),
  InvalidPattern: refused(
    'A regular expression is none, or asks for what is not allowed.',
    'Write one without lookaround, backreferences and recursion, of at most 1024 characters.',
  ),
  InvalidPort: refused('A port is not one.', 'Write a number from 1 to 65535.'),
  InvalidPriority: refused('A priority is out of bounds.', 'Write a whole number from 0 to 1000.'),
  InvalidProtocol: refused('A protocol is none that has ports.', 'Write TCP, UDP or SCTP.'),
  InvalidRange: refused('A range of addresses is not one.', 'Write `first-last`, both of one family.'),
  InvalidRate: refused(
    'A rate or burst is no quantity, or out of bounds.',
    'Write bits a second as a quantity, for example 10M; see the message for the bounds.',
  ),
  InvalidSelector: refused(
    'A label selector is none: it would not take what its author means.',
    'Write the operators In and NotIn with values, Exists and DoesNotExist without.',
  ),
  InvalidTimeout: doubtful(
    'A timeout is out of bounds; the default is used.',
    'See the message for the bounds.',
  ),
  InvalidValue: refused('A field has a value that it can not have.', 'See the message.'),
  LimitExceeded: unmet(
    'Policies of a node tell more pods or peers apart than it can.',
    'Write policies with fewer different selectors and prefixes; what is beyond the limit is cut off.',
  ),
  LimitNotHeld: unmet(
    "A pod's limit is not in force on its node.",
    'See the message for who or what holds it off.',
  ),
  InBlocks: doubtful(
    'Addresses of an IPPool are in blocks that nodes assign from.',
    'Wait until the nodes have given the blocks back (their last pod with an address there), or give the pool other addresses.',
  ),
  NeverMatches: doubtful(
    'A rule of a policy can never match: what is asked before it takes all of it.',
    'Remove the rule, or place it before the one that is named.',
  ),
  NoFreeAddress: doubtful(
    'All addresses of an IPPool or IPAddressPool are held: the next pod or Service waits.',
    'Give the pool more addresses, or delete what holds some (kubectl describe ippool, kubectl get services -A).',
  ),
  NoFreeBlock: doubtful(
    'All addresses of a Subnet are in blocks that nodes hold: a node that needs another one waits.',
    'Use a larger prefix or smaller blocks, or delete pods.',
  ),
  NoInternalAddress: unmet(
    'A node has no address that other nodes could reach.',
    'Give the kubelet --node-ip, or wait for the cloud provider.',
  ),
  NodeReplaced: unmet(
    'A claim is of a Node object that was deleted and made again.',
    "Wait: the node's agent takes it over, or it is freed when the old node's lease has run out.",
  ),
  NotCarried: doubtful(
    'The network below drops the addresses of an underlay Subnet at some nodes: their pods are cut off from other hosts.',
    'Allow them there (clouds: source checks off and the addresses assigned to the machine; hypervisors: forged transmits allowed; ' +
      'switches: port security by address off), or use mode overlay.',
  ),
  NotHeld: unmet(
    "A gateway's pods can't hold all that its routes say.",
    'See the message: what is named there is not served; the rest is.',
  ),
  NotServed: unmet(
    'An Ingress, or a part of it, is served by nobody.',
    'See the message: its class, the tenants of the ALB, or who holds the hostname.',
  ),
  NotSupported: refused('A field asks for what this version does not do.', 'Remove the field.'),
  OutsideSubnet: unmet(
    'A block is not part of its Subnet.',
    "Correct the Subnet's prefixes, or delete the claim.",
  ),
  Overlap: refused('Two objects claim the same addresses.', 'Change or delete one; the older one stays.'),
  OverlappingKinds: doubtful(
    'Policies of another kind are asked before this one in the same tier.',
    'Nothing, if that is what you want; else say all of it in one kind.',
  ),
  PasswordMissing: unmet(
    'A Secret or its key is not there, or agents may not read it.',
    'Create it in netloom-system, or give the service account netloom-agent the right to get it.',
  ),
  PasswordUnusable: refused(
    'A password is not one that BGP can use.',
    'Use 1 to 80 characters of printable ASCII without blanks.',
  ),
  PortNotFound: doubtful(
    'No pod that a rule is about has a container port of the name that the rule gives.',
    'Correct the name, or name the port in the pods; until then the rule matches nothing by it.',
  ),
  PreferenceConflict: refused(
    'Two BGPAdvertisements say different local preferences of one prefix to the same routers.',
    'Give both one localPref, or other peers, nodes, pools or lengths; the older one stays.',
  ),
  ProtectionMissing: unmet(
    'An annotation of an Ingress that keeps somebody out can not be honoured: all that the Ingress is for gets 503.',
    'Use what the message says, or remove it; docs/ingress.md lists them all.',
  ),
  ReferenceNotFound: unmet(
    'An object that another one names is not there.',
    'Create it, or correct the name.',
  ),
  Required: refused('A field is missing.', 'See the message.'),
  ReservedCIDR: refused('A prefix has a meaning of its own (loopback, link-local …).', 'Use another one.'),
  RouterIDConflict: refused(
    'Two BGPPeers of one node say different router IDs for it.',
    'Give all BGPPeers that a node has one routerID; the oldest one stays.',
  ),
  SelectsNobody: doubtful(
    'A selector of a policy takes nobody that is there.',
    'Correct the selector or the labels; with none of its pods yet there is nothing to do.',
  ),
  SmallerThanBlock: refused(
    'A Subnet is smaller than one of its blocks.',
    'Use a larger prefix, or smaller blocks (spec.blockSizes).',
  ),
  SubnetNotFound: unmet(
    'A Subnet is named that does not exist or is not served.',
    'Create the Subnet, or delete what names it.',
  ),
  WithoutEffect: doubtful('A field has no effect without another one.', 'See the message.'),
  WrongFamily: refused("An endpoint is not of its slice's family.", 'Put it into a slice of its own family.'),
  WrongName: refused("A claim's name is not the one of its block.", 'Delete the claim.'),
} as const satisfies Readonly<Record<string, ProblemKind>>;

export type ProblemCode = keyof typeof catalogue;

/** A code that nobody catalogued is as grave as any: better told roughly than not at all. */
export function kindOf(code: string): ProblemKind {
  return Object.hasOwn(catalogue, code)
    ? catalogue[code as ProblemCode]
    : unmet('Not in the catalogue.', 'See the message.');
}
