/** Reads ALB's JSON about headers, which stands in annotations of Ingresses and Rules. */
import { isToken } from '../gateway/headers.ts';
import type { HeaderChange } from '../gateway/types.ts';
import { shown } from '../raw.ts';

export type HeaderRewrite = {
  readonly change: HeaderChange;
  /** A sentence: what of it isn't done. */
  readonly refused?: string;
};

/** ALB's JSON, of Ingresses and Rules; a sentence: it can't be read. */
export function readHeaderRewrite(value: string): HeaderRewrite | string {
  const raw = parsed(value);
  if (raw === undefined) return `${shown(value)} is no JSON object`;
  const { headers: set = {}, headers_add: add = {}, headers_remove: remove = [], ...rest } = raw;
  const pairs = (all: unknown) =>
    Object.entries((typeof all === 'object' && all !== null ? all : {}) as object).flatMap(([name, given]) =>
      (Array.isArray(given) ? given : [given]).map((each: unknown) => ({ name, value: each })),
    );
  const all = [...pairs(set), ...pairs(add)];
  const names = Array.isArray(remove) ? (remove as readonly unknown[]) : [];
  const bad =
    all.find((each) => !isChangeable(each.name) || !isValue(each.value))?.name ??
    names.find((each) => !isChangeable(each));
  if (bad !== undefined) return `${shown(bad)} is no header that may be changed, or has no such value`;
  const strange = Object.keys(rest).find((name) => rest[name] !== undefined);
  const texts = (list: ReturnType<typeof pairs>) => [
    ...new Map(
      list.map((each) => [each.name.toLowerCase(), { name: each.name, value: String(each.value) }]),
    ).values(),
  ];
  return {
    change: { set: texts(pairs(set)), add: texts(pairs(add)), remove: names.map(String) },
    ...(strange === undefined ? {} : { refused: `${shown(strange)} is not done: values are no variables` }),
  };
}

function parsed(value: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const raw: unknown = JSON.parse(value);
    return typeof raw === 'object' && raw !== null && !Array.isArray(raw)
      ? (raw as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Headers that are the connection's, or the host's. */
const fixed =
  /^(?:host|connection|content-length|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade)$/i;

function isChangeable(name: unknown): boolean {
  return isToken(name) && !fixed.test(name);
}

function isValue(value: unknown): boolean {
  return typeof value === 'string' && value.length <= 4096 && /^[!-~]+([\t ]?[!-~]+)*$/.test(value);
}
