/** All annotations of an Ingress: what they come to, and what of them isn't so. */
import type { IngressModel } from '#model/ingress/types.ts';
import { type AnnotationRow, type Annotations, annotationsOf, close, type Refusal } from './annotations.ts';
import {
  albFirewallPrefix,
  albFirewallRows,
  albIndexPrefix,
  albIndexRow,
  albNetworkingPrefix,
  albNetworkingRows,
  albPrefix,
  albRows,
} from './catalogue/alb.ts';
import { nginxPrefix, nginxRows } from './catalogue/index.ts';
import { type Effects, joinEffects } from './effects.ts';
import type { IngressFinding } from './types.ts';

export type Wishes = {
  readonly get: Annotations;
  readonly effects: Effects;
  /** What protects can't be had: nothing is served. */
  readonly closed: boolean;
  readonly findings: readonly IngressFinding[];
};

/** Annotations of one origin: those with the prefix, by the rows. */
export type Dialect = {
  readonly prefix: string;
  readonly rows: readonly AnnotationRow[];
  /** Of names that are made up; undefined: the annotation is somebody else's. */
  readonly find?: (name: string) => AnnotationRow | undefined;
};

/** What both have the last has its way. */
const all: readonly Dialect[] = [
  { prefix: nginxPrefix, rows: nginxRows },
  { prefix: albPrefix, rows: albRows },
  { prefix: albNetworkingPrefix, rows: albNetworkingRows },
  { prefix: albFirewallPrefix, rows: albFirewallRows },
  { prefix: albIndexPrefix, rows: [], find: albIndexRow },
];

export function nginxAnnotations({ annotations }: Pick<IngressModel, 'annotations'>): Annotations {
  return annotationsOf(annotations, nginxPrefix);
}

export function readAnnotations(ingress: IngressModel, dialects: readonly Dialect[] = all): Wishes {
  const findings: IngressFinding[] = [];
  let effects: Effects = {};
  let closed = false;
  for (const { prefix, rows, find } of dialects) {
    const get = annotationsOf(ingress.annotations, prefix);
    const known = new Map(rows.map((row) => [row.name, row]));
    const note = (name: string, { refused, closes }: Refusal): void => {
      if (closes === true) closed = true;
      findings.push(findingOf(prefix, name, refused, closes === true));
    };
    for (const written of Object.keys(ingress.annotations).sort()) {
      if (!written.startsWith(prefix)) continue;
      const name = written.slice(prefix.length);
      const value = get(name);
      const row = known.get(name) ?? find?.(name);
      if (value === undefined) {
        if (row?.needsValue === true) note(name, close('is empty'));
        continue;
      }
      if (row === undefined) {
        if (find !== undefined) continue;
        note(name, { refused: 'is not known' });
        continue;
      }
      const outcome = outcomeOf(row, value, get, ingress.namespace);
      for (const each of Array.isArray(outcome) ? outcome : [outcome]) {
        if (isRefusal(each)) note(each.at ?? name, each);
        const effect = isRefusal(each) ? each.but : each;
        if (effect !== undefined) effects = joinEffects(effects, effect);
      }
    }
  }
  return { get: nginxAnnotations(ingress), effects, closed, findings };
}

function outcomeOf(
  row: AnnotationRow,
  value: string,
  get: Annotations,
  namespace: string,
): Effects | Refusal | readonly (Effects | Refusal)[] {
  if (row.read !== undefined) return row.read(value, get, namespace);
  if (row.of !== undefined) return {};
  return { refused: sentence(row.text), ...(row.closes === true ? { closes: true } : {}) };
}

function findingOf(prefix: string, name: string, text: string, closes: boolean): IngressFinding {
  return {
    field: `metadata.annotations[${prefix}${name}]`,
    code: closes ? 'ProtectionMissing' : 'AnnotationRefused',
    message: closes ? `${text}; all that the Ingress is for gets 503 until it can be honoured` : text,
  };
}

function isRefusal(each: Effects | Refusal): each is Refusal {
  return 'refused' in each;
}

/** A text of the table as the rest of a line: `FIELD: it is asked each time`. */
function sentence(text: string): string {
  const first = text.split('. ')[0] ?? text;
  const whole = text.length < 160 ? text : first;
  return `is not served: ${whole.replaceAll('`', '').replace(/\.$/, '')}`;
}
