/** Reads the rules of policies for admins, in which the kinds differ only by their words. */
import { readNamePattern } from '#net/domain.ts';
import type { Prefix } from '#net/prefix.ts';
import { readPrefix } from './ipblock.ts';
import type {
  PodsSelector,
  PolicyAction,
  PolicyDirection,
  PolicyPeer,
  PolicyPort,
  PolicyRule,
} from './policy.ts';
import type { Refuse } from './problem.ts';
import { fieldsOf, type Raw, rawOf, shown, strangersOf } from './raw.ts';
import { podsOf, readSelector } from './selector.ts';

/** What an entry of a list says: peers or ports, `unusable` (told why), or something that only a newer release knows. */
export type Entry<T> = readonly T[] | 'unusable' | 'unknown';

export type Dialect = {
  readonly actions: Readonly<Record<string, PolicyAction>>;
  /** Name of the list of ports in a rule. */
  readonly ports: 'ports' | 'protocols';
  readonly readPort: (raw: Raw, field: string, refuse: Refuse) => Entry<PolicyPort>;
  /** A `pods` peer must say which namespaces. */
  readonly needsNamespaces: boolean;
  readonly domainNames: boolean;
};

/** Absent when the policy says nothing of this direction: an empty list doesn't. */
export function readAdminRules(
  spec: Raw,
  direction: PolicyDirection,
  dialect: Dialect,
  refuse: Refuse,
): readonly PolicyRule[] | undefined {
  const rules: unknown = spec[direction] ?? [];
  if (!Array.isArray(rules))
    return refuse(`spec.${direction}`, 'NotSupported', `${shown(rules)} is no list of rules`);
  if (rules.length === 0) return undefined;
  return rules.map((rule, index) =>
    readRule(rule, `spec.${direction}[${index}]`, direction, dialect, refuse),
  );
}

/** Exactly one of `namespaces` and `pods`; undefined if it can't be used. */
export function readSubject(value: unknown, dialect: Dialect, refuse: Refuse): PodsSelector | undefined {
  const entry = readPods(rawOf(value) ?? {}, 'spec.subject', dialect, refuse);
  if (entry !== 'unknown') return entry;
  return refuse('spec.subject', 'Required', 'must be one of namespaces and pods; the policy is not in force');
}

/**
 * Fails closed, as the API's text asks for. What is not known makes an accepting rule accept nothing; a rule that denies or passes then
 * denies, everybody for an unknown peer, every protocol and port for an unknown port. An accepting rule just goes without a peer or
 * port that is known and can't be used; for the other two it is as bad as unknown.
 */
function readRule(
  value: unknown,
  where: string,
  direction: PolicyDirection,
  dialect: Dialect,
  refuse: Refuse,
): PolicyRule {
  const raw = rawOf(value) ?? {};
  const peersField = direction === 'ingress' ? 'from' : 'to';
  const { action, known } = readAction(raw, where, dialect, refuse);
  const strangers = strangersOf(raw, ['name', 'action', peersField, dialect.ports]);
  for (const stranger of strangers)
    refuse(`${where}.${stranger}`, 'NotSupported', `is not known to this release; ${closing(action)}`);
  const peers = readList(raw[peersField], `${where}.${peersField}`, action, refuse, (item, field) =>
    readPeer(item, field, direction, action, dialect, refuse),
  );
  const given: unknown = raw[dialect.ports] ?? [];
  const everyPort = Array.isArray(given) && given.length === 0;
  const ports = everyPort
    ? undefined
    : readList(given, `${where}.${dialect.ports}`, action, refuse, (item, field) => {
        const entry = dialect.readPort(item, field, refuse);
        if (typeof entry === 'string' || !entry.some((port) => 'name' in port)) return entry;
        if (!namesAddresses(raw[peersField])) return entry;
        const message = `a named port goes with pods and namespaces only; ${leaving(action)}`;
        refuse(field, 'NotSupported', message);
        return 'unusable';
      });
  const field =
    typeof raw['name'] === 'string' && raw['name'] !== '' ? `${where} (${oneLine(raw['name'])})` : where;
  if (action === 'accept') {
    const closed = strangers.length > 0 || peers.unknown || ports?.unknown === true;
    return { field, action, peers: closed ? [] : peers.values, ...(ports && { ports: ports.values }) };
  }
  const anybody = peers.unknown || peers.unusable;
  const anyPort = ports?.unknown === true || ports?.unusable === true;
  const closed = !known || strangers.length > 0 || anybody || anyPort;
  return {
    field,
    action: closed ? 'deny' : action,
    peers: anybody ? [{ kind: 'everybody' }] : peers.values,
    ...(ports && !anyPort && { ports: ports.values }),
  };
}

/** Peers by address have no names for their ports; the API refuses rules that mix the two. */
function namesAddresses(peers: unknown): boolean {
  const fields = Array.isArray(peers) ? peers.flatMap((peer) => fieldsOf(rawOf(peer) ?? {})) : [];
  return fields.some((name) => name === 'networks' || name === 'nodes' || name === 'domainNames');
}

/** What a rule does that says something unknown. */
function closing(action: PolicyAction): string {
  return action === 'accept' ? 'the rule accepts nothing' : 'the rule denies all that it may mean';
}

/** What a rule does with an entry that can't be used. */
function leaving(action: PolicyAction): string {
  return action === 'accept' ? 'the rule accepts nothing by it' : closing(action);
}

function readAction(
  raw: Raw,
  where: string,
  { actions }: Dialect,
  refuse: Refuse,
): { readonly action: PolicyAction; readonly known: boolean } {
  const given = raw['action'];
  const action = typeof given === 'string' && Object.hasOwn(actions, given) ? actions[given] : undefined;
  if (action !== undefined) return { action, known: true };
  const right = Object.keys(actions).join(', ');
  refuse(`${where}.action`, 'NotSupported', `${shown(given)} is none of ${right}; the rule denies`);
  return { action: 'deny', known: false };
}

type List<T> = { readonly values: readonly T[]; readonly unknown: boolean; readonly unusable: boolean };

/** Entries that mean something, and whether there were others. A list without any says nothing that is known. */
function readList<T>(
  value: unknown,
  field: string,
  action: PolicyAction,
  refuse: Refuse,
  read: (raw: Raw, field: string) => Entry<T>,
): List<T> {
  if (!Array.isArray(value) || value.length === 0) {
    refuse(field, 'Required', `names nothing; ${closing(action)}`);
    return { values: [], unknown: true, unusable: false };
  }
  const entries = value.map((item, index) => {
    const where = `${field}[${index}]`;
    const entry = read(rawOf(item) ?? {}, where);
    if (entry === 'unknown')
      refuse(where, 'NotSupported', `${shown(item)} is not known to this release; ${closing(action)}`);
    return entry;
  });
  return {
    values: entries.flatMap((entry) => (typeof entry === 'string' ? [] : entry)),
    unknown: entries.includes('unknown'),
    unusable: entries.includes('unusable'),
  };
}

function readPeer(
  raw: Raw,
  field: string,
  direction: PolicyDirection,
  action: PolicyAction,
  dialect: Dialect,
  refuse: Refuse,
): Entry<PolicyPeer> {
  const names = fieldsOf(raw);
  const [name = ''] = names;
  if (names.length !== 1) return 'unknown';
  if (name === 'namespaces' || name === 'pods') {
    const select = readPods(raw, field, dialect, refuse);
    if (select === 'unknown') return 'unknown';
    return select === undefined ? 'unusable' : [{ kind: 'pods', select }];
  }
  if (direction === 'ingress') return 'unknown';
  switch (name) {
    case 'networks':
      return readNetworks(raw['networks'], `${field}.networks`, action, refuse);
    case 'nodes': {
      const select = readSelector(raw['nodes'], `${field}.nodes`, refuse);
      return select === undefined ? 'unusable' : [{ kind: 'nodes', select }];
    }
    case 'domainNames':
      if (!dialect.domainNames) return 'unknown';
      return readDomainNames(raw['domainNames'], `${field}.domainNames`, action, refuse);
    default:
      return 'unknown';
  }
}

/** Of an accepting rule a bad prefix is left out, and the others of its peer stay. */
function readNetworks(
  value: unknown,
  field: string,
  action: PolicyAction,
  refuse: Refuse,
): Entry<PolicyPeer> {
  if (!Array.isArray(value) || value.length === 0) return 'unknown';
  const prefixes = value.map((text, index): Prefix | undefined => {
    const message = `${shown(text)} is no prefix; ${leaving(action)}`;
    return readPrefix(text) ?? refuse(`${field}[${index}]`, 'InvalidCIDR', message);
  });
  if (prefixes.includes(undefined) && action !== 'accept') return 'unusable';
  return prefixes.flatMap((prefix) => (prefix === undefined ? [] : { kind: 'cidr', prefix, except: [] }));
}

/** Of rules that accept only: what isn't learnt yet couldn't be denied. A bad name is left out, and the others of its peer stay. */
function readDomainNames(
  value: unknown,
  field: string,
  action: PolicyAction,
  refuse: Refuse,
): Entry<PolicyPeer> {
  if (!Array.isArray(value) || value.length === 0) return 'unknown';
  if (action !== 'accept') {
    refuse(field, 'NotSupported', `names are for rules that accept; ${leaving(action)}`);
    return 'unusable';
  }
  return value.flatMap((text, index): PolicyPeer[] => {
    const pattern = typeof text === 'string' ? readNamePattern(text) : undefined;
    if (pattern !== undefined) return [{ kind: 'name', pattern }];
    const message = `${shown(text)} is no domain name, nor one behind "*."; ${leaving(action)}`;
    refuse(`${field}[${index}]`, 'NotSupported', message);
    return [];
  });
}

/** `namespaces`, or `pods` with its two selectors. */
function readPods(
  raw: Raw,
  field: string,
  { needsNamespaces }: Dialect,
  refuse: Refuse,
): PodsSelector | 'unknown' | undefined {
  const names = fieldsOf(raw);
  if (names.length !== 1) return 'unknown';
  if (names[0] === 'namespaces') {
    const namespaces = readSelector(raw['namespaces'], `${field}.namespaces`, refuse);
    return namespaces === undefined ? undefined : { namespaces };
  }
  const both = names[0] === 'pods' ? rawOf(raw['pods']) : undefined;
  if (both === undefined || strangersOf(both, ['namespaceSelector', 'podSelector']).length > 0)
    return 'unknown';
  const everywhere = needsNamespaces ? undefined : {};
  const of = (name: string, missing?: object) =>
    readSelector(both[name] ?? missing, `${field}.pods.${name}`, refuse);
  const namespaces = of('namespaceSelector', everywhere);
  const pods = of('podSelector');
  return namespaces === undefined || pods === undefined ? undefined : podsOf(namespaces, pods);
}

/** A rule's name is free text of an admin, and goes into one-line messages. */
function oneLine(name: string): string {
  return name.slice(0, 100).replace(/\p{Cc}/gu, ' ');
}
