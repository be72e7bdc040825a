/** A difference as people read it: on a terminal, and in a pull request. */
import type { Difference, DnsLoss, Line } from '#compile/answers/diff.ts';
import { formatRanges, type Segment } from '#compile/answers/segments.ts';

/** Names that are printed before `and N more`. */
const mostNames = 4;

export type Report = Difference & {
  /** What in the files can't be used as it is written. */
  readonly problems: readonly string[];
  /** What in the files has no part in it. */
  readonly notLookedAt: readonly string[];
};

/** Without problems, which are told as progress. */
export function diffLines({ dns, closes, opens, reasons, unknownFlows, notes }: Report): string[] {
  const sections = [
    dnsSection(dns),
    section('closes', closes, lineText),
    section('opens', opens, lineText),
    section('same answer, another reason', reasons, lineText),
  ].filter((lines) => lines.length > 0);
  const body = sections.flatMap((lines, index) => (index === 0 ? lines : ['', ...lines]));
  const unknown = unknownLine(unknownFlows);
  return [
    ...body,
    ...(body.length === 0 ? [] : ['']),
    ...unknown,
    summary({ closes, opens }),
    ...(notes.length === 0 ? [] : ['', ...notes.map((note) => `note: ${note}`)]),
  ];
}

export function diffMarkdown(report: Report): string[] {
  const { dns, closes, opens, reasons, unknownFlows, notes, problems, notLookedAt } = report;
  return [
    `### Connections: ${summary({ closes, opens })}`,
    ...(dns.length === 0
      ? []
      : [
          '',
          '**No cluster DNS any more:**',
          '',
          ...dns.map((loss) => `- ${escaped(loss.workload)}: ${escaped(loss.because)}`),
        ]),
    ...table('Closes', closes),
    ...table('Opens', opens),
    ...table('Same answer, another reason', reasons),
    ...unknownLine(unknownFlows).flatMap((line) => ['', line]),
    ...list("Can't be used as it is written", problems),
    ...list('Notes', notes),
    ...list('Not looked at', notLookedAt),
  ];
}

function list(title: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : ['', `**${title}:**`, '', ...items.map((item) => `- ${escaped(item)}`)];
}

function dnsSection(dns: readonly DnsLoss[]): string[] {
  if (dns.length === 0) return [];
  const lines = dns.map(
    ({ workload, families, because }) => `  ${workload} (${familyText(families)}): ${because}`,
  );
  return ['NO CLUSTER DNS ANY MORE', ...lines];
}

function section(title: string, lines: readonly Line[], text: (line: Line) => string[]): string[] {
  return lines.length === 0 ? [] : [`${title} (${lines.length})`, ...lines.flatMap(text)];
}

function lineText(line: Line): string[] {
  const { from, to, ports, families, decider, before, after, witness, observed } = line;
  const used =
    observed === undefined || observed === 0 ? '' : `  USED by ${count(observed, 'observed connection')}`;
  return [
    `  ${names(from)} → ${names(to)}: ${formatRanges(ports)}, ${familyText(families)}${used}`,
    `      before  ${before.verdict === 'deny' ? 'denied' : 'allowed'}: ${before.text}`,
    `      after   ${after.verdict === 'deny' ? 'denied' : 'allowed'}: ${after.text} (${decider})`,
    `      packet  ${witnessText(witness)}`,
  ];
}

function table(title: string, lines: readonly Line[]): string[] {
  if (lines.length === 0) return [];
  const isObserved = lines.some(({ observed }) => observed !== undefined);
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const head = ['from', 'to', 'ports', 'before', 'after', 'for example', ...(isObserved ? ['used'] : [])];
  return [
    '',
    `**${title}** (${lines.length})`,
    '',
    row(head),
    row(head.map(() => '---')),
    ...lines.map(({ from, to, ports, families, before, after, witness, observed = 0 }) =>
      row([
        ...[
          names(from),
          names(to),
          `${formatRanges(ports)}, ${familyText(families)}`,
          before.text,
          after.text,
          witnessText(witness),
        ].map(escaped),
        ...(isObserved ? [observed === 0 ? '' : `**${count(observed, 'connection')}**`] : []),
      ]),
    ),
  ];
}

function witnessText({ from, to, flow }: Line['witness']): string {
  const end = ({ name, address, invented }: typeof from) =>
    name === address ? name : `${name} (${invented === true ? 'any address' : address})`;
  const port: Segment = { protocol: flow.protocol, first: flow.port, last: flow.port };
  const ports = flow.protocol === 'other' ? 'icmp' : formatRanges([port]);
  return `${end(from)} → ${end(to)} ${ports}`;
}

function summary({ closes, opens }: Pick<Difference, 'closes' | 'opens'>): string {
  if (closes.length + opens.length === 0) return 'no connection opens or closes';
  const used = [...closes, ...opens].filter(({ observed = 0 }) => observed > 0).length;
  const said = `${count(closes.length, 'line')} close${closes.length === 1 ? 's' : ''}, ${count(opens.length, 'line')} open${opens.length === 1 ? 's' : ''}`;
  return used === 0 ? said : `${said}, ${used} of them used by observed traffic`;
}

function unknownLine(flows: number): string[] {
  return flows === 0 ? [] : [`${count(flows, 'observed connection')} of ends that are not known here`];
}

function names(labels: readonly string[]): string {
  const shown = labels.slice(0, mostNames).join(', ');
  return labels.length <= mostNames ? shown : `${shown} and ${labels.length - mostNames} more`;
}

function familyText(families: readonly (4 | 6)[]): string {
  return families.map((family) => `IPv${family}`).join(' and ');
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

/** Names of rules and what files hold are anybody's: in Markdown they stay what they are. */
function escaped(text: string): string {
  return text
    .replaceAll(/[\\`*_[\]|~]/g, (each) => `\\${each}`)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/\s*\n\s*/g, ' ');
}
