/** The node's intent: what the agent handed over, with the endpoints of this machine. */
import {
  type Domain,
  type EndpointIntent,
  emptyIntent,
  type IntentChange,
  type NodeIntent,
} from '#intent/node.ts';
import { isObject, wrongShape } from '../change-shape.ts';

export type IntentHolder = {
  /** The present whole; changed in place. */
  readonly intent: NodeIntent;
  /** Of the last change that was taken; 0: none yet. */
  readonly generation: number;
  /** Takes a change of the agent in; a refusal says why it can't be, and changes nothing. */
  take(change: IntentChange): { readonly refused: string } | undefined;
  putEndpoint(key: string, endpoint: EndpointIntent): IntentChange;
  removeEndpoint(key: string): IntentChange;
  /** Everything, endpoints too, as one change. */
  whole(): IntentChange;
};

const domains = Object.keys(emptyIntent) as readonly Domain[];

export function createIntentHolder(): IntentHolder {
  const intent = Object.fromEntries(domains.map((domain) => [domain, {}])) as Record<
    Domain,
    Record<string, unknown>
  >;
  let generation = 0;
  const change = (put: IntentChange['put'], remove: IntentChange['remove']): IntentChange => {
    fold(intent, { generation, replace: false, put, remove });
    return { generation, replace: false, put, remove };
  };
  return {
    intent: intent as NodeIntent,
    get generation() {
      return generation;
    },
    take(taken) {
      if (!taken.replace && (generation === 0 || taken.generation !== generation + 1)) {
        return { refused: `a delta of generation ${taken.generation} does not follow ${generation}` };
      }
      fold(intent, taken);
      generation = taken.generation;
      return undefined;
    },
    putEndpoint: (key, endpoint) => change({ endpoints: { [key]: endpoint } }, {}),
    removeEndpoint: (key) => change({}, { endpoints: [key] }),
    whole: () => ({ generation, replace: true, put: copy(intent), remove: {} }),
  };
}

/** What is wrong with a text as a change from the agent, or the change. Shapes only: its entries are the agent's own work. */
export function readChange(body: unknown): IntentChange | { readonly wrong: string } {
  if (!isObject(body)) return { wrong: 'not a JSON object' };
  const { generation, replace } = body;
  if (!Number.isSafeInteger(generation) || (generation as number) < 1)
    return { wrong: 'generation: not a positive integer' };
  if (typeof replace !== 'boolean') return { wrong: 'replace: not a boolean' };
  const wrong = wrongShape(body, (domain) => {
    if (domain === 'endpoints') return 'written by the datapath alone';
    return domains.includes(domain as Domain) ? undefined : 'no such domain';
  });
  if (wrong !== undefined) return { wrong };
  return body as IntentChange;
}

/** One change that does what both do, the first one first. */
export function mergeChanges(first: IntentChange, second: IntentChange): IntentChange {
  const put: Record<string, Record<string, unknown>> = {};
  const remove: Record<string, string[]> = {};
  for (const domain of domains) {
    // A whole intent makes what came before void, but for the endpoints, which it does not speak of.
    const before = second.replace && domain !== 'endpoints' ? undefined : first;
    const puts: Record<string, unknown> = { ...before?.put[domain] };
    const removes = new Set(before?.remove[domain]);
    for (const key of second.remove[domain] ?? []) {
      delete puts[key];
      removes.add(key);
    }
    for (const [key, entry] of Object.entries(second.put[domain] ?? {})) {
      puts[key] = entry;
      removes.delete(key);
    }
    if (Object.keys(puts).length > 0) put[domain] = puts;
    if (removes.size > 0) remove[domain] = [...removes];
  }
  const { generation } = second;
  return { generation, replace: first.replace || second.replace, put, remove } as IntentChange;
}

function fold(intent: Record<Domain, Record<string, unknown>>, change: IntentChange): void {
  for (const domain of domains) {
    const entries = intent[domain];
    if (change.replace && domain !== 'endpoints') for (const key of Object.keys(entries)) delete entries[key];
    for (const key of change.remove[domain] ?? []) delete entries[key];
    Object.assign(entries, change.put[domain]);
  }
}

function copy(intent: Record<Domain, Record<string, unknown>>): IntentChange['put'] {
  return Object.fromEntries(domains.map((domain) => [domain, { ...intent[domain] }]));
}
