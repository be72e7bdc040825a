/** Reads case files: manifests, pods, changes and what packets must do; pure. */
import { albInstance } from '#compile/gateway/instances/derived-gateway.ts';
import type { Family } from '#net/addr.ts';
import { type RequestWish, requestOf, type StatusWish, servicesOf, statusOf } from './gateway-lines.ts';
import { changeOf, checksOf, wishOf } from './lines.ts';

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
  /** All that is said of the policies, as `Kind name field Code`; absent: nothing is asked. */
  readonly problems?: readonly string[];
  /** What Gateways do with requests, and what is said of them and of their routes. */
  readonly requests: readonly RequestWish[];
  readonly statuses: readonly StatusWish[];
  /** What the intents of Gateways must contain, as YAML, by `namespace/name`. */
  readonly intents: Readonly<Record<string, string>>;
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
  /** It takes its time to end when it is told to. */
  readonly lingers: boolean;
  /** What it serves besides the usual ports. */
  readonly ports: readonly (Port & { readonly name?: string })[];
};

/** As kubectl would: `label pod x/a key=value gone-`, `delete NetworkPolicy x/deny`. `end`: deleted, and not waited for. */
export type Change = {
  readonly line: number;
  readonly verb: 'label' | 'annotate' | 'delete' | 'end';
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  /** `undefined`: taken away. */
  readonly values: Readonly<Record<string, string | undefined>>;
};

export type Check = Probe | Held | Fact | Answered | Routed;

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

/** Who answers for an address by ARP and NDP, asked from outside. */
export type Answered = {
  readonly kind: 'answered';
  readonly line: number;
  /** An address, or `lb/x/web`. */
  readonly target: string;
  readonly families: readonly Family[];
  /** Names of nodes; none: nobody does. */
  readonly by: readonly string[];
  /** Any one of them, and no other; otherwise all. */
  readonly oneOf: boolean;
};

/** What the router learnt by BGP, and of which nodes. */
export type Routed = {
  readonly kind: 'routed';
  readonly line: number;
  /** A prefix, an address, or `lb/x/web`. */
  readonly target: string;
  readonly families: readonly Family[];
  /** Names of nodes; none: it has no route. */
  readonly via: readonly string[];
  /** All that each of them says, sorted; absent: not asked. */
  readonly communities?: readonly string[];
};

/** What an object must contain (`has`), in which prefix a pod's address is (`in`), or that its addresses are those of the step before. */
export type Fact = {
  readonly kind: 'fact';
  readonly line: number;
  readonly object: { readonly kind: string; readonly namespace?: string; readonly name: string };
  readonly verb: 'has' | 'in' | 'keeps';
  readonly value: string;
};

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
    requests: [],
    statuses: [],
    intents: {},
  });
  const steps = [draft('')];
  let expect: { node: string; yaml: string } | undefined;
  let section = 'objects';
  let gateway = '';
  let services = 0;
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
      else if (['gateway', 'requests', 'asked', 'sent'].includes(section)) gateway = instanceOf(rest);
      else if (
        !['pods', 'packets', 'judged', 'problems', 'objects', 'statuses', 'services'].includes(section)
      )
        fail(index, `no section ${section}`);
      continue;
    }
    const plain = line.replace(/(^|\s)#.*$/, '').trim();
    if (section === 'expect' && expect !== undefined) expect.yaml += `${line}\n`;
    else if (section === 'objects') step.manifests += `${line}\n`;
    else if (section === 'gateway')
      step.intents = { ...step.intents, [gateway]: `${step.intents[gateway] ?? ''}${line}\n` };
    else if (section === 'then') {
      const change = changeOf(plain, index + 1);
      if (change === undefined) step.manifests += `${line}\n`;
      else step.changes.push(change);
    } else if (plain === '') continue;
    else if (section === 'services') {
      services++;
      const yaml = servicesOf(plain, services);
      if (yaml === undefined) fail(index, `no Service: ${plain}`);
      else step.manifests += yaml;
    } else if (section === 'requests' || section === 'asked' || section === 'sent') {
      const wish = requestOf(plain, index + 1, gateway);
      if (wish === undefined) fail(index, `no request: ${plain}`);
      else step.requests.push(section === 'requests' ? wish : { ...wish, only: section });
    } else if (section === 'statuses') {
      const wish = statusOf(plain, index + 1);
      if (wish === undefined) fail(index, `nothing that is said of an object: ${plain}`);
      else step.statuses.push(wish);
    } else if (section === 'problems') step.problems = [...(step.problems ?? []), plain];
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

/** `x/gw`, or `ALB x/lb`. */
function instanceOf(text: string): string {
  const [kind = '', name] = text.split(' ');
  return name === undefined || kind !== 'ALB' ? text : albInstance(name);
}
