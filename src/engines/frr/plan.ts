/** Actual lines, wanted lines ─► commands, in an order in which no session loses what it stands on; pure. */
import { type Daemon, type Line, opens, redact } from './objects.ts';

/** One command, typed in a context below `configure terminal`. */
export type Operation = {
  readonly daemon: Daemon;
  readonly context: readonly string[];
  readonly command: string;
};

export function printOperation({ daemon, context, command }: Operation): string {
  return redact(`${daemon}: ${[...context, command].join(' / ')}`);
}

/**
 * A line of another instance or of a neighbor that is to go is not taken away by itself. Of a setting that has one value
 * (`settingOf`) the new one replaces the old. Lists and maps change before the neighbors that name them, and go after them.
 */
export function plan(actual: readonly Line[], wanted: readonly Line[]): Operation[] {
  const has = new Set(actual.map(identity));
  const wants = new Set(wanted.map(identity));
  const replaced = new Set(wanted.flatMap((line) => settingOf(line) ?? []));
  const gone = actual.filter((line) => !wants.has(identity(line)));
  const whole = gone.filter(({ text, context }) => opens(text) || isLast(context, text, wanted));
  const removal = (line: Line): Operation => ({
    daemon: line.daemon,
    context: line.context,
    command: line.text.startsWith('no ') ? line.text.slice(3) : `no ${line.text}`,
  });
  const wholeNames = new Set(
    whole.filter(({ text }) => opens(text)).map((line) => key(line.daemon, [...line.context, line.text])),
  );
  const inside = gone.filter(
    (line) =>
      !whole.includes(line) &&
      !line.context.some((_, depth) => wholeNames.has(key(line.daemon, line.context.slice(0, depth + 1)))),
  );
  const instances = whole.filter(({ text }) => text.startsWith('router bgp '));
  const leaving = new Map<string, Operation>();
  const singles: Operation[] = [];
  const leave = (line: Line, neighbor: string): void => {
    const command = `no neighbor ${neighbor}`;
    const context = line.context.slice(0, 1);
    leaving.set(key(line.daemon, [...context, neighbor]), { daemon: line.daemon, context, command });
  };
  const isWanted = (line: Line, neighbor: string): boolean =>
    wanted.some((other) => neighborOf(other) === neighbor && other.context[0] === line.context[0]);
  // Told one by one, so that each hears that it is over; from the end of an instance it would wait for a restart.
  for (const line of gone) {
    const neighbor = neighborOf(line);
    if (neighbor !== undefined && instances.some(({ text }) => text === line.context[0]))
      leave(line, neighbor);
  }
  for (const line of inside) {
    const setting = settingOf(line);
    if (setting !== undefined && replaced.has(setting)) continue;
    const neighbor = neighborOf(line);
    if (neighbor !== undefined && !isWanted(line, neighbor)) leave(line, neighbor);
    else singles.push(removal(line));
  }
  // `no neighbor X bfd` takes the profile along, so the longer one goes first.
  singles.sort((a, b) => b.command.length - a.command.length);
  const puts = wanted
    .filter((line) => !has.has(identity(line)))
    .map(({ daemon, context, text }): Operation => ({ daemon, context, command: text }));
  const isList = ({ context, command }: Operation) =>
    !(context[0] ?? command).replace(/^no /, '').startsWith('router bgp ');
  return [
    ...puts.filter(({ daemon }) => daemon === 'bfdd'),
    ...leaving.values(),
    ...instances.map(removal),
    ...singles.filter(isList),
    ...puts.filter((each) => each.daemon === 'bgpd' && isList(each)),
    ...singles.filter((each) => !isList(each)),
    ...puts.filter((each) => each.daemon === 'bgpd' && !isList(each)),
    ...whole.filter((line) => !instances.includes(line)).map(removal),
  ];
}

/** Whether a list loses its last entry with this line: it goes when nothing names it any more. */
function isLast(context: readonly string[], text: string, wanted: readonly Line[]): boolean {
  const list = /^(?:ip prefix-list|ipv6 prefix-list|bgp as-path access-list) \S+ /.exec(text)?.[0];
  return context.length === 0 && list !== undefined && !wanted.some((line) => line.text.startsWith(list));
}

function key(daemon: Daemon, path: readonly string[]): string {
  return [daemon, ...path].join('\n');
}

export function identity(line: Line): string {
  return key(line.daemon, [...line.context, line.text]);
}

function neighborOf({ text }: Line): string | undefined {
  return /^neighbor (\S+) /.exec(text)?.[1];
}

/** What a line sets, if only one value can stand. */
function settingOf({ daemon, context, text }: Line): string | undefined {
  const setting =
    /^neighbor \S+ (?:(?:interface )?remote-as|description|port|password|update-source|local-as|timers connect|bfd profile|timers(?= \d))/.exec(
      text,
    )?.[0] ??
    /^bgp (?:router-id|cluster-id|route-map delay-timer)/.exec(text)?.[0] ??
    /^(?:receive-interval|transmit-interval|detect-multiplier|minimum-ttl|echo \S+-interval)/.exec(
      text,
    )?.[0] ??
    /^(?:match|set) (?:metric|tag|community|large-community|local-preference)/.exec(text)?.[0] ??
    text.replace(/^(neighbor \S+ route-map) \S+ (in|out)$/, '$1 $2');
  return setting === text ? undefined : key(daemon, [...context, setting]);
}

/** `show running-config` as lines; what isn't this engine's to say (host name, logging) is left out. */
export function parseConfig(text: string, daemon: Daemon): Line[] {
  const lines: Line[] = [];
  const path: string[] = [];
  let owned = false;
  for (const raw of text.split('\n')) {
    const line = raw.trimEnd();
    const depth = line.length - line.trimStart().length;
    const words = line.trim();
    if (words === '' || words.startsWith('!') || /^(exit|exit-address-family|end)$/.test(words)) continue;
    if (depth === 0) owned = ours.test(words);
    if (!owned) continue;
    path.length = depth;
    path[depth] = words;
    const isContext = words === 'bfd' || words.startsWith('address-family ');
    if (!isContext) lines.push({ daemon, context: path.slice(0, depth), text: words });
  }
  return lines;
}

const ours =
  /^(bfd$|router bgp |route-map |ip prefix-list |ipv6 prefix-list |bgp as-path access-list |bgp route-map delay-timer )/;
