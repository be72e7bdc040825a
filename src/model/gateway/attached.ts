/** Reads what all policies have that are attached to something: their targets, whether they insist, and what of them can't be read. */
import type { KubeObject } from '#api/object.ts';
import type { Problem, Refuse } from '../problem.ts';
import { collectProblems } from '../problem.ts';
import { type Raw, shown } from '../raw.ts';
import { forms, gatewayObject, readEntries, readForm, readRaw, readReference } from './fields.ts';
import type { AttachedPolicy } from './policy-types.ts';

/**
 * One field of a policy. With anything wrong in it there is none of it, since a part of it would say something else than what was meant: and if
 * it protects, nobody is let in instead.
 */
export type ReadField = <Value>(
  name: string,
  how: { readonly protects: boolean },
  read: (value: unknown, field: string, refuse: Refuse) => Value,
) => Value | undefined;

/** `settings` reads the policy's own fields. */
export function readAttached<Settings>(
  object: KubeObject,
  settings: (read: ReadField, namespace: string) => Settings,
): {
  readonly value: AttachedPolicy & { readonly settings: Settings };
  readonly problems: readonly Problem[];
} {
  const head = gatewayObject(object);
  const { problems, refuse } = collectProblems(head.origin);
  const spec = readRaw(object['spec'], 'spec', refuse);
  const refused: { readonly field: string; readonly message: string; readonly protects?: true }[] = [];
  const field: ReadField = (name, { protects }, read) => {
    const value = spec[name];
    if (value === undefined || value === null) return undefined;
    let bad = false;
    const found = read(value, `spec.${name}`, (where, code, message) => {
      bad = true;
      refused.push({ field: where, message, ...(protects ? { protects } : {}) });
      return refuse(where, code, message);
    });
    return bad ? undefined : found;
  };
  // What somebody insists on holds, also where it can't be read that he does.
  const enforced = field('enforced', { protects: true }, (value, at, bad) =>
    typeof value === 'boolean' ? value : bad(at, 'InvalidValue', `${shown(value)} is not true or false`),
  );
  const targets = readTargets(spec, refuse);
  const own = settings(field, head.namespace);
  return {
    value: {
      ...head,
      targets,
      enforced: enforced ?? (spec['enforced'] !== undefined && spec['enforced'] !== null),
      ...(refused.length === 0 ? {} : { refused }),
      settings: own,
    },
    problems,
  };
}

function readTargets(spec: Raw, refuse: Refuse): AttachedPolicy['targets'] {
  return readEntries(spec['targetRefs'], 'spec.targetRefs', refuse).flatMap((entry) => {
    const { group, kind, name } = readReference(entry, { group: '' }, refuse);
    const { raw, field } = entry;
    const given = raw['sectionName'];
    const section = readForm(given, `${field}.sectionName`, forms.section, refuse);
    const isUnread = section === undefined && given !== undefined && given !== null && given !== '';
    // All of a target isn't what was meant by a part of it.
    if (name === '' || isUnread) return [];
    return [{ group, kind, name, ...(section === undefined ? {} : { section }) }];
  });
}
