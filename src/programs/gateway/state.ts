/** What the instance holds: the fold of all changes that were taken, as the controller sent them. */
import type { GatewayChange, GatewayDomain, GatewayIntent } from '#intent/gateway.ts';
import { isObject, wrongShape } from '../change-shape.ts';

export type GatewayState = {
  /** Of the last change that was taken; 0: none yet. */
  readonly generation: number;
  /** An entry, or undefined when there is none. */
  get<D extends GatewayDomain>(domain: D, key: string): GatewayIntent[D][string] | undefined;
  entries<D extends GatewayDomain>(domain: D): ReadonlyMap<string, GatewayIntent[D][string]>;
  /** Why a change can't be taken: it does not follow what is held. */
  refusal(change: GatewayChange): string | undefined;
  /** Takes a change that isn't refused; at the cost of the change. */
  take(change: GatewayChange): void;
};

export const domains = [
  'ports',
  'listeners',
  'rules',
  'actions',
  'streams',
  'backends',
  'certificates',
  'authorities',
  'identities',
  'policies',
  'users',
  'tenants',
  'firewallRules',
] as const satisfies readonly GatewayDomain[];

export function createState(): GatewayState {
  const held = new Map<GatewayDomain, Map<string, unknown>>(domains.map((domain) => [domain, new Map()]));
  // Maps, since an entry may have any name, `__proto__` too.
  const of = (domain: GatewayDomain): Map<string, unknown> => held.get(domain) as Map<string, unknown>;
  let generation = 0;
  return {
    get generation() {
      return generation;
    },
    get: (domain, key) => of(domain).get(key) as never,
    entries: (domain) => of(domain) as never,
    refusal(change) {
      if (change.replace || (generation > 0 && change.after === generation)) return undefined;
      return `a delta on generation ${change.after} does not follow ${generation}`;
    },
    take(change) {
      for (const domain of domains) {
        const entries = of(domain);
        if (change.replace) entries.clear();
        for (const key of change.remove[domain] ?? []) entries.delete(key);
        for (const [key, entry] of Object.entries(change.put[domain] ?? {})) entries.set(key, entry);
      }
      generation = change.generation;
    },
  };
}

/** All of it as one change. */
export function wholeOf(state: Pick<GatewayState, 'generation' | 'entries'>): GatewayChange {
  const { generation } = state;
  const put = Object.fromEntries(
    domains.map((domain) => [domain, Object.fromEntries<unknown>(state.entries(domain))]),
  );
  return { generation, after: 0, replace: true, put: put as GatewayChange['put'], remove: {} };
}

/** What is wrong with a text as a change, or the change. Shapes only: its entries are the compile's work. */
export function readChange(text: string): GatewayChange | { readonly wrong: string } {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    return { wrong: `not JSON: ${(error as Error).message}` };
  }
  if (!isObject(body)) return { wrong: 'not a JSON object' };
  const { generation, after, replace } = body;
  if (!Number.isSafeInteger(generation) || (generation as number) < 1)
    return { wrong: 'generation: not a positive integer' };
  if (!Number.isSafeInteger(after) || (after as number) < 0)
    return { wrong: 'after: not an integer of 0 or more' };
  if (typeof replace !== 'boolean') return { wrong: 'replace: not a boolean' };
  const wrong = wrongShape(body, (domain) =>
    (domains as readonly string[]).includes(domain) ? undefined : 'no such domain',
  );
  if (wrong !== undefined) return { wrong };
  return body as GatewayChange;
}
