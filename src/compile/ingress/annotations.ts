/** Annotations of an Ingress and the forms that their values have, read as ingress-nginx reads them. */
import { parseAddr } from '#net/addr.ts';
import { canonicalPrefix, formatPrefix, hostPrefix, parseInterfacePrefix } from '#net/prefix.ts';
import type { Effects, TargetURL } from './effects.ts';

export type AnnotationRow = {
  /** Without its prefix. */
  readonly name: string;
  /** `done`: as ingress-nginx has it; `translated`: by something of ours that differs, as `text` says; `refused`: with a problem. */
  readonly state: 'done' | 'translated' | 'refused';
  /** What becomes of it, or what to use instead. */
  readonly text: string;
  /** Absent: it is refused, unless another row of its family reads it. */
  readonly read?: (value: string, get: Annotations, namespace: string) => Outcome;
  /** Name of the row that reads it, which is nothing without that one. */
  readonly of?: string;
  /** It is refused, and what it is on isn't served then: it protects. */
  readonly closes?: true;
  /** Empty it closes what it is on, as in ingress-nginx. Of all others an empty value is none. */
  readonly needsValue?: true;
};

/** A value without blanks around it; undefined: there is none, or it is empty. */
export type Annotations = (name: string) => string | undefined;

/** `but`: what is in effect all the same. */
export type Refusal = {
  readonly refused: string;
  readonly closes?: true;
  readonly but?: Effects;
  /** Of which annotation of the family; absent: the one that is read. */
  readonly at?: string;
};

export type Outcome = Effects | Refusal | readonly (Effects | Refusal)[];

/** Which of them count: those that ingress-nginx and ALB have in common are ALB's, if both are there. */
export function annotationsOf(all: Readonly<Record<string, string>>, prefix: string): Annotations {
  return (name) => {
    const value = all[`${prefix}${name}`]?.trim();
    return value === '' ? undefined : value;
  };
}

export function refuse(text: string): Refusal {
  return { refused: text };
}

/** Of what protects: nothing is served while it can't be honoured. */
export function close(text: string): Refusal {
  return { refused: text, closes: true };
}

/** As Go reads it. */
export function readBoolean(value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value)) return true;
  return ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value) ? false : undefined;
}

export function readNumber(value: string | undefined, least: number, most: number): number | undefined {
  if (value === undefined || !/^[0-9]{1,10}$/.test(value)) return undefined;
  const number = Number(value);
  return number >= least && number <= most ? number : undefined;
}

/** Bytes: `8m`, as in nginx.conf. */
export function readSize(value: string): number | undefined {
  const [, digits, unit = ''] = /^([0-9]{1,12})([kKmMgG]?)$/.exec(value) ?? [];
  if (digits === undefined) return undefined;
  const size = Number(digits) * (units[unit.toLowerCase()] ?? 1);
  return size <= Number.MAX_SAFE_INTEGER ? size : undefined;
}

const units: Readonly<Record<string, number>> = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Seconds, as a number or as in nginx.conf (`30s`, `1m`): milliseconds. */
export function readDuration(value: string): number | undefined {
  const [, digits, unit = 's'] = /^([0-9]{1,9})(ms|s|m|h|d)?$/.exec(value) ?? [];
  if (digits === undefined) return undefined;
  const milliseconds = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit] ?? 1_000;
  return Number(digits) * milliseconds;
}

export function readWords(value: string | undefined): readonly string[] {
  return (value ?? '').split(/[\s,]+/).filter((each) => each !== '');
}

/** Prefixes and addresses, separated by commas: CIDRs without host bits. Undefined: one of them is none. */
export function readCIDRs(value: string): readonly string[] | undefined {
  const found = value
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
    .map((each) => {
      const address = parseAddr(each);
      if (address !== undefined) return formatPrefix(hostPrefix(address));
      const inner = parseInterfacePrefix(each);
      return inner === undefined ? canonicalPrefix(each) : formatPrefix(inner.prefix);
    });
  return found.includes(undefined) || found.length === 0 ? undefined : [...new Set(found as string[])];
}

/** A URL of http or https whose host is a name or `$host`, without variables in its path; the query is part of that. */
export function readURL(value: string): TargetURL | undefined {
  const [, scheme, host, port, path = ''] =
    /^(https?|\$scheme):\/\/(\$host|\$http_host|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::([0-9]{1,5}))?(\/[!-~]*)?$/.exec(
      value,
    ) ?? [];
  if (scheme === undefined || host === undefined || /["'\\{}$;]/.test(path)) return undefined;
  const number = port === undefined ? undefined : Number(port);
  if (number !== undefined && (number < 1 || number > 65_535)) return undefined;
  return {
    scheme: scheme === 'http' ? 'http' : 'https',
    host: host.startsWith('$') ? '$host' : host.toLowerCase(),
    port: number,
    path,
  };
}

const label = '[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?';
const hostname = new RegExp(`^(?:\\*\\.)?${label}(?:\\.${label})*$`);

/** Lower case, perhaps with `*.` in front. */
export function readHost(value: string): string | undefined {
  const host = value.toLowerCase();
  return host.length <= 253 && hostname.test(host) ? host : undefined;
}

/** `NAME` or `NAMESPACE/NAME` of the Ingress's own namespace. */
export function readOwnName(value: string, namespace: string): string | undefined {
  const [first = '', second] = value.split('/');
  const name = second ?? first;
  if (second !== undefined && first !== namespace) return undefined;
  return /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/.test(name) && value.split('/').length <= 2
    ? name
    : undefined;
}

export function isPath(value: string): boolean {
  return /^\/[!-~]*$/.test(value) && !/["'\\{};$]/.test(value);
}

export function notBoolean(value: string): string {
  return `${shown(value)} is not true or false`;
}

export function shown(value: string): string {
  return JSON.stringify(value.length > 64 ? `${value.slice(0, 61)}...` : value);
}
