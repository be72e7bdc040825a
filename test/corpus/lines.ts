/** The lines of a case file that are no YAML: pods, changes, probes, facts; pure. */
import { type Family, parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import type { Change, Check, Fact, Held, NamespaceWish, Outcome, PodWish, Probe, Protocol } from './case.ts';

const usualNodes = ['node1', 'node2', 'node3'] as const;

export function changeOf(line: string, number: number): Change | undefined {
  const match = /^(label|annotate|delete|end) (\w+) (?:([\w.-]+)\/)?([\w.-]+)((?: \S+)*)$/.exec(line);
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

export function wishOf(line: string, count: number): PodWish | NamespaceWish | undefined {
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
  const lingers = others.includes('lingers');
  const understood = ports.length + [node !== undefined, hostNetwork, ended, lingers].filter(Boolean).length;
  if (understood !== others.length) return undefined;
  const place = node ?? (usualNodes[count % usualNodes.length] as string);
  return { namespace, name, labels, node: place, hostNetwork, ended, lingers, ports };
}

export function checksOf(line: string, number: number, pods: readonly string[]): Check[] | undefined {
  return (
    probesOf(line, number, pods) ??
    heldOf(line, number) ??
    answeredOf(line, number) ??
    routedOf(line, number) ??
    factOf(line, number)
  );
}

function answeredOf(line: string, number: number): Check[] | undefined {
  const match = /^(\S+) is answered by (one of )?([\w, ]+?)(?: (ipv4|ipv6))?$/.exec(line);
  if (match === null) return undefined;
  const [, target = '', one, by = '', family] = match;
  const families = familiesOf(family, target);
  return [{ kind: 'answered', line: number, target, families, by: machines(by), oneOf: one !== undefined }];
}

function routedOf(line: string, number: number): Check[] | undefined {
  const match = /^router has (\S+) via ([\w, ]+?)(?: communities ([\d:, ]+|none))?(?: (ipv4|ipv6))?$/.exec(
    line,
  );
  if (match === null) return undefined;
  const [, target = '', via = '', said, family] = match;
  const communities = said === undefined ? {} : { communities: said === 'none' ? [] : list(said).sort() };
  const families = familiesOf(family, target);
  return [{ kind: 'routed', line: number, target, families, via: machines(via), ...communities }];
}

const list = (text: string): string[] => text.split(',').map((part) => part.trim());

const machines = (text: string): string[] => (text.trim() === 'nobody' ? [] : list(text).sort());

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
    /^(?:keep ([\w-]+): )?(.+?) -> (.+?) ((?:(?:(?:tcp|udp|sctp)\/\d+|icmp),? ?)+)(ipv4|ipv6)?: (allowed|dropped|refused)(?: (by one of|by) ([^;]+?))?(?:;? ?seen as (\S+))?$/.exec(
      line,
    );
  if (match === null) return undefined;
  const [, keep, from = '', to = '', ports = '', family, outcome, how, by, seenAs] = match;
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
  const address = parseAddr(target) ?? parsePrefix(target);
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
