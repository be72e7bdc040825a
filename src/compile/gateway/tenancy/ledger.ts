/**
 * Who may have how much of what several share: each tenant up to its own limit, and where all together want more than there is, those who have
 * most go without first. Of one tenant the oldest have it. What fits after one that doesn't is served.
 */
import { byText, olderFirst } from '../age.ts';

export type LedgerEntry = {
  /** What is shared. */
  readonly scope: string;
  readonly tenant: string;
  readonly created: string;
  readonly key: string;
  /** Bytes. */
  readonly size: number;
};

export type LedgerLimits = {
  /** Of one tenant: entries, and bytes. */
  readonly count: number;
  readonly size: number;
  /** Bytes of all. */
  readonly total: number;
};

export type Excess = 'count' | 'size' | 'total';

export type Ledger = {
  set(id: string, entry: LedgerEntry | undefined, limits?: LedgerLimits): void;
  /** Those of whom something else is so than before. */
  settle(): readonly string[];
  /** What it is too much for. */
  excess(id: string): Excess | undefined;
};

type Tenant = {
  readonly entries: Map<string, LedgerEntry>;
  size: number;
  /** Some of its entries go without. */
  isOver: boolean;
};
type Scope = {
  readonly tenants: Map<string, Tenant>;
  readonly dirty: Set<string>;
  limitsOf: Map<string, LedgerLimits>;
  total: number;
  /** What any tenant may have at most, since all want more than there is. */
  level: number;
};

export function createLedger(): Ledger {
  const entries = new Map<string, LedgerEntry>();
  const scopes = new Map<string, Scope>();
  const refused = new Map<string, Excess>();
  const changed = new Set<string>();

  const say = (id: string, excess: Excess | undefined): void => {
    if (refused.get(id) === excess) return;
    if (excess === undefined) refused.delete(id);
    else refused.set(id, excess);
    changed.add(id);
  };
  const leave = (id: string, { scope: name, tenant: whose, size }: LedgerEntry): void => {
    const scope = scopes.get(name);
    const tenant = scope?.tenants.get(whose);
    if (scope === undefined || tenant === undefined) return;
    tenant.entries.delete(id);
    tenant.size -= size;
    scope.dirty.add(whose);
  };
  const enter = (id: string, entry: LedgerEntry, limits: LedgerLimits): void => {
    const scope = scopes.get(entry.scope) ?? createScope(limits);
    scopes.set(entry.scope, scope);
    scope.total = limits.total;
    scope.limitsOf.set(entry.tenant, limits);
    const tenant = scope.tenants.get(entry.tenant) ?? { entries: new Map(), size: 0, isOver: false };
    scope.tenants.set(entry.tenant, tenant);
    tenant.entries.set(id, entry);
    tenant.size += entry.size;
    scope.dirty.add(entry.tenant);
  };
  const decide = (tenant: Tenant, limits: LedgerLimits, level: number): void => {
    const most = Math.min(limits.size, level);
    const isOver = tenant.size > most || tenant.entries.size > limits.count;
    // Who has all and had all costs nothing, however many there are.
    if (!isOver && !tenant.isOver) return;
    tenant.isOver = isOver;
    const why = level < limits.size ? 'total' : 'size';
    let [count, size] = [0, 0];
    for (const [id, entry] of [...tenant.entries].sort(oldestFirst)) {
      const excess = count + 1 > limits.count ? 'count' : size + entry.size > most ? why : undefined;
      say(id, excess);
      if (excess !== undefined) continue;
      count += 1;
      size += entry.size;
    }
  };
  const settleScope = (name: string, scope: Scope): void => {
    for (const whose of scope.dirty) {
      if (scope.tenants.get(whose)?.entries.size !== 0) continue;
      scope.tenants.delete(whose);
      scope.limitsOf.delete(whose);
    }
    const level = levelOf(scope);
    const due = level === scope.level ? scope.dirty : scope.tenants.keys();
    scope.level = level;
    for (const whose of due) {
      const [tenant, limits] = [scope.tenants.get(whose), scope.limitsOf.get(whose)];
      if (tenant !== undefined && limits !== undefined) decide(tenant, limits, level);
    }
    scope.dirty.clear();
    if (scope.tenants.size === 0) scopes.delete(name);
  };

  return {
    set(id, entry, limits) {
      const before = entries.get(id);
      if (before !== undefined) leave(id, before);
      if (entry === undefined || limits === undefined) {
        entries.delete(id);
        refused.delete(id);
        return;
      }
      if (before?.scope !== entry.scope || before.tenant !== entry.tenant) say(id, undefined);
      entries.set(id, entry);
      enter(id, entry, limits);
    },
    settle() {
      for (const [name, scope] of scopes) if (scope.dirty.size > 0) settleScope(name, scope);
      const result = [...changed].filter((id) => entries.has(id)).sort(byText);
      changed.clear();
      return result;
    },
    excess: (id) => refused.get(id),
  };
}

function createScope({ total }: LedgerLimits): Scope {
  return {
    tenants: new Map(),
    dirty: new Set(),
    limitsOf: new Map(),
    total,
    level: Number.POSITIVE_INFINITY,
  };
}

/** The most that each may have so that all together have no more than there is: whoever wants less isn't touched. */
function levelOf({ tenants, limitsOf, total }: Scope): number {
  const wants = [...tenants].map(([whose, { size }]) => Math.min(size, limitsOf.get(whose)?.size ?? size));
  if (wants.reduce((sum, each) => sum + each, 0) <= total) return Number.POSITIVE_INFINITY;
  let left = total;
  const sorted = wants.sort((a, b) => a - b);
  for (const [index, want] of sorted.entries()) {
    const share = Math.floor(left / (sorted.length - index));
    if (want > share) return share;
    left -= want;
  }
  return Number.POSITIVE_INFINITY;
}

function oldestFirst(
  [a, one]: readonly [string, LedgerEntry],
  [b, other]: readonly [string, LedgerEntry],
): number {
  return olderFirst(one, other) || byText(a, b);
}
