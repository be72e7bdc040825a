/** Nginx in memory, with the rules that matter: versions in turn, and no reference to what isn't there. */
import type { Nginx, NginxStatus } from './nginx.ts';
import { digest, type Entry, entryName, isHeld } from './objects.ts';

export type FakeNginx = Nginx & {
  /** Everything that it holds: `DOMAIN/KEY JSON`, sorted. */
  dump(): string[];
  /** It ends and another one starts, from what was kept. */
  restart(): void;
  /** It answers only while it runs. */
  setRunning(running: boolean): void;
  /** The process ends before the change after the next `count`. */
  killAfter(count: number): void;
  /** Entries for which there is no memory, by entryName. */
  readonly refused: Set<string>;
};

export class Killed extends Error {}

export function createFakeNginx(): FakeNginx {
  let held = new Map<string, Entry>();
  let kept: string | undefined;
  let running = true;
  let boot = 1;
  let version = 0;
  let generation = 0;
  let left = Number.POSITIVE_INFINITY;
  const refused = new Set<string>();

  const status = (): NginxStatus => {
    if (!running) throw new Error('connect ENOENT nginx.sock');
    return { boot: String(boot), version, generation, freeMemory: 1 << 20 };
  };
  const take = (lines: string) => {
    const problems: { entry: string; reason: string }[] = [];
    for (const line of lines.split('\n').filter((each) => each !== '')) {
      const [domain = '', key = '', text = '', ...rest] = line.split('\t');
      if (!isHeld(domain) || key === '' || rest.length > 0) throw new Error(`not an entry: ${line}`);
      const entry = { domain, key, text };
      if (text === '') held.delete(entryName(entry));
      else if (refused.has(entryName(entry))) problems.push({ entry: entryName(entry), reason: 'no memory' });
      else held.set(entryName(entry), entry);
    }
    if (problems.length === 0) refuseDangling(held);
    return problems;
  };

  return {
    refused,
    status: async () => status(),
    list: async () => {
      status();
      return [...held.values()]
        .map(({ domain, key, text }) => `${domain}\t${key}\t${digest(text)}\n`)
        .join('');
    },
    change: async (head, lines) => {
      const now = status();
      if (left-- <= 0) throw new Killed('killed');
      if (head.boot !== now.boot || head.after !== version) return { kind: 'refused', status: now };
      const problems = take(lines);
      version += 1;
      if (head.generation !== undefined) generation = head.generation;
      return { kind: 'done', version, problems };
    },
    metrics: async () => ({
      connections: { active: 0, reading: 0, writing: 0, waiting: 0, accepted: 0 },
      bounds: [],
      refusals: [],
      limits: { evicted: 0, refused: 0 },
      routes: [],
      streams: [],
      backends: [],
      unlogged: 0,
    }),
    keep: (text) => {
      kept = text;
    },
    kept: () => kept,
    close: () => {},
    dump: () => [...held].map(([name, { text }]) => `${name} ${text}`).sort(),
    restart: () => {
      boot += 1;
      version = 0;
      generation = 0;
      held = new Map();
      if (kept === undefined) return;
      const [head = '{}', ...lines] = kept.split('\n');
      take(lines.join('\n'));
      generation = (JSON.parse(head) as { generation: number }).generation;
    },
    setRunning: (on) => {
      running = on;
    },
    killAfter: (count) => {
      left = count;
    },
  };
}

type References = {
  readonly port?: string;
  readonly listener?: string;
  readonly action?: string;
  readonly certificates?: readonly string[];
  readonly clientValidation?: { readonly authority: string };
  readonly backends?: readonly { readonly backend?: string }[];
  readonly mirrors?: readonly { readonly backend: string }[];
  readonly externalAuth?: { readonly backend?: string };
  readonly policy?: string;
  readonly basicAuth?: { readonly users?: string };
};

/** Throws when an entry names what isn't there. */
function refuseDangling(held: ReadonlyMap<string, Entry>): void {
  for (const { domain, key, text } of held.values()) {
    const refers = JSON.parse(text) as References;
    const wanted = [
      domain === 'listeners' ? `ports/${refers.port}` : undefined,
      domain === 'rules' || domain === 'streams' ? `listeners/${refers.listener}` : undefined,
      domain === 'rules' ? `actions/${refers.action}` : undefined,
      ...(domain === 'listeners' ? (refers.certificates ?? []).map((name) => `certificates/${name}`) : []),
      refers.clientValidation === undefined ? undefined : `authorities/${refers.clientValidation.authority}`,
      refers.policy === undefined ? undefined : `policies/${refers.policy}`,
      refers.basicAuth?.users === undefined ? undefined : `users/${refers.basicAuth.users}`,
      ...(domain === 'actions' || domain === 'streams' ? backendsOf(refers) : []),
    ];
    for (const name of wanted)
      if (name !== undefined && !held.has(name))
        throw new Error(`${domain}/${key} refers to ${name}, which isn't there`);
  }
}

function backendsOf({ backends = [], mirrors = [], externalAuth }: References): string[] {
  return [...backends, ...mirrors, externalAuth ?? {}].flatMap(({ backend }) =>
    backend === undefined ? [] : [`backends/${backend}`],
  );
}
