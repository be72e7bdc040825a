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
  InvalidAddress: refused('An address is not one.', 'Write an IPv4 or IPv6 address in its usual form.'),
  InvalidCIDR: refused(
    'A prefix is not one, or has host bits set.',
    'Write the network address and its length.',
  ),
  InvalidRange: refused('A range of addresses is not one.', 'Write `first-last`, both of one family.'),
  InvalidSelector: refused(
    'A label selector is not well-formed.',
    'See the operators In, NotIn, Exists, DoesNotExist.',
  ),
  InvalidValue: refused('A field has a value that it can not have.', 'See the message for what it may be.'),
  Unsupported: refused('A field asks for what this version does not do.', 'Remove the field.'),
  Overlap: refused('Two objects claim the same addresses.', 'Change or delete one; the older one stays.'),
  NameMismatch: refused("A claim's name is not the one of its block.", 'Delete the claim.'),
  DuplicateFrontend: unmet(
    'Two Services have the same address, protocol and port.',
    'Change or delete one; the older one stays in effect.',
  ),
  NoInternalAddress: unmet(
    'A node has no address that other nodes could reach.',
    'Give the kubelet --node-ip, or wait for the cloud provider.',
  ),
  NotFound: unmet('An object that this one names does not exist.', 'Create it, or correct the name.'),
  OutOfAddresses: unmet(
    'A subnet has no free block left.',
    'Add a prefix, use smaller blocks, or delete pods.',
  ),
  NotProgrammed: unmet(
    'The kernel refused what this object asks for.',
    'See the message; `netloom doctor` tells what this kernel lacks.',
  ),
  ForeignChange: doubtful(
    'Another program changed or removed our rules; they were put back.',
    'Find and stop what flushes nftables on this node.',
  ),
  Ambiguous: doubtful('Two objects say different things of one.', 'Make their selectors apart.'),
} as const satisfies Readonly<Record<string, ProblemKind>>;

export type ProblemCode = keyof typeof catalogue;

/** A code that nobody catalogued is as grave as any: better told roughly than not at all. */
export function kindOf(code: string): ProblemKind {
  return Object.hasOwn(catalogue, code)
    ? catalogue[code as ProblemCode]
    : unmet('Not in the catalogue.', 'See the message.');
}
