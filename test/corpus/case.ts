/** Reads case files: manifests, pods, changes and what packets must do; pure. */
import { type Family, parseAddr } from '#net/addr.ts';

export type Case = {
  /** The file's name without its ending. */
  readonly name: string;
  /** What the file says that it shows. */
  readonly title: string;
  /** What the compile for a node must give; absent: nothing is asked. */
  readonly expect?: { readonly node: string; readonly yaml: string };
  readonly steps: readonly Step[];
};

/** A state of the cluster, and what must hold in it. */
export type Step = {
  readonly title: string;
  /** YAML documents to apply. */
  readonly manifests: string;
  readonly namespaces: readonly NamespaceWish[];
  readonly pods: readonly PodWish[];
  readonly changes: readonly Change[];
  readonly checks: readonly Check[];
};

export type Labels = Readonly<Record<string, string>>;
export type Protocol = 'tcp' | 'udp' | 'sctp' | 'icmp';
export type Port = { readonly protocol: Protocol; readonly port: number };

export type NamespaceWish = { readonly name: string; readonly labels: Labels };

export type PodWish = {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  readonly node: string;
  readonly hostNetwork: boolean;
  /** It has ended by the time the packets are sent. */
  readonly ended: boolean;
  /** What it serves besides the usual ports. */
  readonly ports: readonly (Port & { readonly name?: string })[];
};

/** As kubectl would: `label pod x/a key=value gone-`, `delete NetworkPolicy x/deny`. */
export type Change = {
  readonly line: number;
  readonly verb: 'label' | 'annotate' | 'delete';
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  /** `undefined`: taken away. */
  readonly values: Readonly<Record<string, string | undefined>>;
};

export type Check = Probe | Held | Fact;

export type Outcome = 'allowed' | 'dropped' | 'refused';

/** One new connection, or one packet and its answer. */
export type Probe = {
  readonly kind: 'probe';
  readonly line: number;
  readonly from: string;
  readonly to: string;
  readonly protocol: Protocol;
  /** 0 for icmp. */
  readonly port: number;
  readonly families: readonly Family[];
  readonly outcome: Outcome;
  /** Exactly these answer, seen over many connections. */
  readonly by?: readonly string[];
  /** One of `by` answers all of them. */
  readonly always?: true;
  /** Whom the server must see. */
  readonly seenAs?: string;
  /** The connection stays open under this name. */
  readonly keep?: string;
  /** Nothing is sent: what the API server would refuse, or complete, is asked of the model alone. */
  readonly judgedOnly?: true;
};

/** Of a connection that was kept. */
export type Held = {
  readonly kind: 'held';
  readonly line: number;
  readonly name: string;
  readonly state: 'alive' | 'cut';
};

/** What an object must contain (`has`), in which prefix a pod's address is (`in`), or that its addresses are those of the step before. */
export type Fact = {
  readonly kind: 'fact';
  readonly line: number;
  readonly object: { readonly kind: string; readonly namespace?: string; readonly name: string };
  readonly verb: 'has' | 'in' | 'keeps';
  readonly value: string;
};

const usualNodes = ['node1', 'node2', 'node3'] as const;

/** Throws, with the file's name and line, where it can't be read. */
export function readCase(name: string, text: string): Case {
  const lines = text.split('\n');
  const title: string[] = [];
  for (const line of lines) {
    if (!line.startsWith('#')) break;
    title.push(line.slice(1).trim());
  }
  type Draft = { -readonly [K in keyof Step]: Step[K] extends readonly (infer T)[] ? T[] : Step[K] };
  const draft = (of: string): Draft => ({
    title: of,
    manifests: '',
    namespaces: [],
    pods: [],
    changes: [],
    checks: [],
  });
  const steps = [draft('')];
  let expect: { node: string; yaml: string } | undefined;
  let section = 'objects';
  const pods: PodWish[] = [];
  const fail = (index: number, why: string): never => {
    throw new Error(`${name}.case:${index + 1}: ${why}`);
  };
  for (const [index, line] of lines.entries()) {
    const step = steps.at(-1) as Draft;
    const head = /^---- (\w+) ?(.*)$/.exec(line);
    if (head !== null) {
      section = head[1] as string;
      const rest = head[2] as string;
      if (section === 'then') steps.push(draft(rest));
      else if (section === 'expect') expect = { node: rest, yaml: '' };
      else if (!['pods', 'packets', 'judged', 'objects'].includes(section))
        fail(index, `no section ${section}`);
      continue;
    }
    const plain = line.replace(/(^|\s)#.*$/, '').trim();
    if (section === 'expect' && expect !== undefined) expect.yaml += `${line}\n`;
    else if (section === 'objects') step.manifests += `${line}\n`;
    else if (section === 'then') {
      const change = changeOf(plain, index + 1);
      if (change === undefined) step.manifests += `${line}\n`;
      else step.changes.push(change);
    } else if (plain === '') continue;
    else if (section === 'pods') {
      const wish = wishOf(plain, pods.length);
      if (wish === undefined) fail(index, `no pod or namespace: ${plain}`);
      else if ('node' in wish) {
        step.pods.push(wish);
        pods.push(wish);
      } else step.namespaces.push(wish);
    } else {
      const known = pods.map((pod) => `${pod.namespace}/${pod.name}`);
      const found = checksOf(plain, index + 1, known);
      if (found === undefined) fail(index, `no probe or fact: ${plain}`);
      else if (section === 'packets') step.checks.push(...found);
      else step.checks.push(...found.map((each) => ({ ...each, judgedOnly: true as const })));
    }
  }
  return { name, title: title.join(' '), ...(expect === undefined ? {} : { expect }), steps };
}

/** Whether it has anything to ask of a cluster. */
export const hasPackets = ({ steps }: Case): boolean =>
  steps.some(({ checks }) => checks.some((check) => !('judgedOnly' in check)));

function changeOf(line: string, number: number): Change | undefined {
  const match = /^(label|annotate|delete) (\w+) (?:([\w.-]+)\/)?([\w.-]+)((?: \S+)*)$/.exec(line);
  if (match === null) return undefined;
  const [, verb, kind = '', namespace, target = '', rest = ''] = match;
  const values = rest
    .split(' ')
    .filter((part) => part !== '')
    .map((part): [string, string | undefined] =>
      part.endsWith('-') && !part.includes('=') ? [part.slice(0, -1), undefined] : pair(part),
    );
  return {
    line: number,
    verb: verb as Change['verb'],
    kind,
    ...(namespace === undefined ? {} : { namespace }),
    name: target,
    values: Object.fromEntries(values),
  };
}

function wishOf(line: string, count: number): PodWish | NamespaceWish | undefined {
  const [head = '', ...words] = line.split(/\s+/);
  const match = /^([a-z0-9-]+)\/([a-z0-9-]*)$/.exec(head);
  if (match === null) return undefined;
  const [, namespace = '', name = ''] = match;
  const labels = Object.fromEntries(words.filter((word) => word.includes('=')).map(pair));
  const others = words.filter((word) => !word.includes('='));
  if (name === '') return others.length > 0 ? undefined : { name: namespace, labels };
  const ports = others.flatMap((word) => {
    const port = /^(?:([a-z0-9-]+):)?(tcp|udp|sctp)\/(\d+)$/.exec(word);
    if (port === null) return [];
    const named = port[1] === undefined ? {} : { name: port[1] };
    return [{ ...named, protocol: port[2] as Protocol, port: Number(port[3]) }];
  });
  const node = others.find((word) => word.startsWith('@'))?.slice(1);
  const hostNetwork = others.includes('hostNetwork');
  const ended = others.includes('ended');
  const understood = ports.length + Number(node !== undefined) + Number(hostNetwork) + Number(ended);
  if (understood !== others.length) return undefined;
  const place = node ?? (usualNodes[count % usualNodes.length] as string);
  return { namespace, name, labels, node: place, hostNetwork, ended, ports };
}

function checksOf(line: string, number: number, pods: readonly string[]): Check[] | undefined {
  return probesOf(line, number, pods) ?? heldOf(line, number) ?? factOf(line, number);
}

function heldOf(line: string, number: number): Check[] | undefined {
  const match = /^([\w-]+): (alive|cut)$/.exec(line);
  if (match === null) return undefined;
  return [{ kind: 'held', line: number, name: match[1] as string, state: match[2] as Held['state'] }];
}

function factOf(line: string, number: number): Check[] | undefined {
  const match = /^([A-Z]\w+) (?:([a-z0-9-]+)\/)?([\w.-]+) (has|in|keeps) (.+)$/.exec(line);
  if (match === null) return undefined;
  const [, kind = '', namespace, name = '', verb, value = ''] = match;
  const object = { kind, ...(namespace === undefined ? {} : { namespace }), name };
  return [{ kind: 'fact', line: number, object, verb: verb as Fact['verb'], value }];
}

function probesOf(line: string, number: number, pods: readonly string[]): Check[] | undefined {
  const match =
    /^(?:keep ([\w-]+): )?(.+?) -> (.+?) ((?:(?:(?:tcp|udp|sctp)\/\d+|icmp),? ?)+)(ipv4|ipv6)?: (allowed|dropped|refused)(?: (by|by one of) ([^;]+?))?(?:;? ?seen as (\S+))?$/.exec(
      line,
    );
  if (match === null) return undefined;
  const [, keep, from = '', to = '', ports = '', family, outcome, how, by, seenAs] = match;
  const list = (text: string) => text.split(',').map((part) => part.trim());
  const sources = list(from).flatMap((end) => matching(end, pods));
  const targets = list(to).flatMap((end) => matching(end, pods));
  return sources.flatMap((source) =>
    targets.flatMap((target): Probe[] =>
      // A pattern means others; a pod that is named twice means itself.
      source === target && (from.includes('*') || to.includes('*'))
        ? []
        : list(ports.trim()).map((port): Probe => {
            const [protocol = '', number_ = '0'] = port.split('/');
            return {
              kind: 'probe',
              line: number,
              from: source,
              to: target,
              protocol: protocol as Protocol,
              port: Number(number_),
              families: familiesOf(family, target),
              outcome: outcome as Outcome,
              ...(by === undefined ? {} : { by: list(by) }),
              ...(how === 'by one of' ? { always: true as const } : {}),
              ...(seenAs === undefined ? {} : { seenAs }),
              ...(keep === undefined ? {} : { keep }),
            };
          }),
    ),
  );
}

/** Of an address its own one. */
function familiesOf(family: string | undefined, target: string): readonly Family[] {
  if (family !== undefined) return [family === 'ipv4' ? 4 : 6];
  const address = parseAddr(target);
  return address === undefined ? [4, 6] : [address.family];
}

function matching(pattern: string, pods: readonly string[]): readonly string[] {
  if (!pattern.includes('*')) return [pattern];
  const prefix = pattern.slice(0, -1);
  return pods.filter((pod) => pod.startsWith(prefix));
}

function pair(word: string): [string, string] {
  const at = word.indexOf('=');
  return [word.slice(0, at), word.slice(at + 1)];
}
