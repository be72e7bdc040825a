/** What nginx is told: the changes as they came, but that backends which are spoken to by TLS are reached through the originator's sockets. */
import type { GatewayBackendIntent, GatewayChange } from '#intent/gateway.ts';
import type { GatewayState } from '../state.ts';
import { type ResolvedIdentity, resolveIdentity, socketPath } from './paths.ts';

/** One socket of the originator. */
export type Target = {
  readonly path: string;
  /** `ADDRESS:PORT`, IPv6 in brackets. */
  readonly endpoint: string;
  readonly identity: ResolvedIdentity;
};

export type Lowered = {
  /** For nginx. */
  readonly change: GatewayChange;
  /** Sockets that are named now and weren't before. */
  readonly opened: readonly Target[];
  /** Paths that were named before. Once nginx holds the change nobody does. */
  readonly left: readonly string[];
};

export type Lowering = {
  /** To be called after the state took the change; at the cost of what it touches. */
  lower(state: GatewayState, change: GatewayChange): Lowered;
  /** Whether a socket is named. */
  names(path: string): boolean;
  /** The entries that nginx is to hold, always the present ones. */
  holding(state: GatewayState): Pick<GatewayState, 'generation' | 'entries'>;
  /** Backends whose identity, or its certificate, is missing: they have no endpoints for nginx. */
  problems(): readonly { readonly entry: string; readonly reason: string }[];
};

export function createLowering(directory: string): Lowering {
  const lowered = new Map<string, { backend: GatewayBackendIntent; targets: readonly Target[] }>();
  const missing = new Map<string, string>();
  const backendsOf = createIndex();
  const identitiesOf = createIndex();
  const resolved = new Map<string, ResolvedIdentity>();
  /** How many backends name a path. */
  const uses = new Map<string, number>();

  const identityOf = (state: GatewayState, key: string): ResolvedIdentity | string => {
    const held = resolved.get(key);
    if (held !== undefined) return held;
    const identity = state.get('identities', key);
    if (identity === undefined) return `there is no identity ${key}`;
    const certificate = identity.certificate && state.get('certificates', identity.certificate);
    if (identity.certificate !== undefined && !certificate)
      return `there is no certificate ${identity.certificate}`;
    const fresh = resolveIdentity(key, identity, certificate || undefined);
    resolved.set(key, fresh);
    return fresh;
  };

  const lowerOne = (state: GatewayState, key: string): void => {
    const backend = state.get('backends', key);
    const identityKey = backend?.identity;
    backendsOf.set(key, identityKey);
    missing.delete(key);
    if (backend === undefined || identityKey === undefined) {
      lowered.delete(key);
      return;
    }
    const identity = identityOf(state, identityKey);
    // Never in the clear instead: without its identity it has no endpoints at all.
    if (typeof identity === 'string') missing.set(key, identity);
    lowered.set(
      key,
      typeof identity === 'string'
        ? { backend: { ...backend, endpoints: [] }, targets: [] }
        : lowerBackend(directory, backend, identity),
    );
  };

  return {
    lower(state, change) {
      const before = new Set<string>();
      const after = new Map<string, Target>();
      const touched = change.replace ? startAgain() : touchedBackends(change);
      if (change.replace) for (const key of state.entries('backends').keys()) touched.add(key);
      for (const key of touchedIdentities(change, change.replace)) {
        resolved.delete(key);
        identitiesOf.set(key, state.get('identities', key)?.certificate);
      }
      for (const key of touched) {
        for (const { path } of lowered.get(key)?.targets ?? []) {
          before.add(path);
          count(uses, path, -1);
        }
        lowerOne(state, key);
        for (const target of lowered.get(key)?.targets ?? []) {
          after.set(target.path, target);
          count(uses, target.path, 1);
        }
      }
      const backends = new Map(Object.entries(change.put.backends ?? {}));
      for (const key of touched) {
        const one = lowered.get(key)?.backend;
        if (one !== undefined) backends.set(key, one);
      }
      const { identities: _put, ...put } = change.put;
      const { identities: _remove, ...remove } = change.remove;
      return {
        change: { ...change, put: { ...put, backends: Object.fromEntries(backends) }, remove },
        opened: [...after.values()].filter(({ path }) => !before.has(path)),
        left: [...before].filter((path) => !uses.has(path)),
      };
    },
    names: (path) => uses.has(path),
    holding: (state) => ({
      get generation() {
        return state.generation;
      },
      entries: (domain) => {
        if (domain === 'identities') return new Map() as never;
        if (domain !== 'backends') return state.entries(domain);
        const backends = new Map(state.entries('backends'));
        for (const [key, { backend }] of lowered) backends.set(key, backend);
        return backends as never;
      },
    }),
    problems: () =>
      [...missing].map(([key, reason]) => ({ entry: `backends/${key}`, reason: `no endpoints: ${reason}` })),
  };

  /** Everything that was lowered before; what is missing in the new whole is left. */
  function startAgain(): Set<string> {
    resolved.clear();
    identitiesOf.clear();
    return new Set(lowered.keys());
  }

  function touchedBackends(change: GatewayChange): Set<string> {
    const touched = new Set([...Object.keys(change.put.backends ?? {}), ...(change.remove.backends ?? [])]);
    for (const identity of touchedIdentities(change, false)) {
      for (const backend of backendsOf.members(identity)) touched.add(backend);
    }
    return touched;
  }

  function touchedIdentities(change: GatewayChange, whole: boolean): ReadonlySet<string> {
    const touched = new Set([
      ...Object.keys(change.put.identities ?? {}),
      ...(change.remove.identities ?? []),
    ]);
    if (whole) return touched;
    const certificates = [
      ...Object.keys(change.put.certificates ?? {}),
      ...(change.remove.certificates ?? []),
    ];
    for (const certificate of certificates) {
      for (const identity of identitiesOf.members(certificate)) touched.add(identity);
    }
    return touched;
  }
}

/** The same backend as nginx sees it, and the sockets that it names. */
function lowerBackend(
  directory: string,
  backend: GatewayBackendIntent,
  identity: ResolvedIdentity,
): { readonly backend: GatewayBackendIntent; readonly targets: readonly Target[] } {
  const targets = backend.endpoints.map((endpoint) => ({
    path: socketPath(directory, identity, endpoint),
    endpoint,
    identity,
  }));
  return { backend: { ...backend, endpoints: targets.map(({ path }) => `unix:${path}`) }, targets };
}

/** Members by group, each in one group or none. */
type Index = {
  set(member: string, group: string | undefined): void;
  members(group: string): ReadonlySet<string>;
  clear(): void;
};

function createIndex(): Index {
  const groupOf = new Map<string, string>();
  const groups = new Map<string, Set<string>>();
  return {
    set(member, group) {
      const before = groupOf.get(member);
      if (before === group) return;
      if (before !== undefined) {
        const members = groups.get(before);
        members?.delete(member);
        if (members?.size === 0) groups.delete(before);
      }
      groupOf.delete(member);
      if (group === undefined) return;
      groupOf.set(member, group);
      const members = groups.get(group);
      if (members === undefined) groups.set(group, new Set([member]));
      else members.add(member);
    },
    members: (group) => groups.get(group) ?? new Set(),
    clear() {
      groupOf.clear();
      groups.clear();
    },
  };
}

function count(uses: Map<string, number>, path: string, by: number): void {
  const now = (uses.get(path) ?? 0) + by;
  if (now > 0) uses.set(path, now);
  else uses.delete(path);
}
