/** Reads tolerations, so that none is taken that would make the API server refuse the pods. */
import type { Refuse } from '../problem.ts';
import { shown } from '../raw.ts';
import { isLabelKey, isLabelValue } from '../selector.ts';
import { type Entry, readChoice, readEntries, readInteger, readText } from './fields.ts';

/** As in a pod (v1.Toleration). */
export type TolerationModel = {
  readonly key?: string;
  readonly operator?: 'Exists' | 'Equal';
  readonly value?: string;
  readonly effect?: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
  readonly tolerationSeconds?: number;
};

/** What can't be read of one leaves the whole of it out. The rules are those of the API server for pods. */
export function readTolerations(value: unknown, field: string, refuse: Refuse): readonly TolerationModel[] {
  return readEntries(value, field, refuse).flatMap((entry) => {
    let isGood = true;
    const toleration = readToleration(entry, (...problem) => {
      isGood = false;
      return refuse(...problem);
    });
    return isGood ? [toleration] : [];
  });
}

const operators = ['Exists', 'Equal'] as const;
const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const;
const longestSeconds = Number.MAX_SAFE_INTEGER;

function readToleration({ raw, field }: Entry, refuse: Refuse): TolerationModel {
  const key = readText(raw['key'], `${field}.key`, refuse);
  const operator = readChoice(raw['operator'], `${field}.operator`, operators, refuse);
  const value = readText(raw['value'], `${field}.value`, refuse);
  const effect = readChoice(
    raw['effect'] === '' ? undefined : raw['effect'],
    `${field}.effect`,
    effects,
    refuse,
  );
  const tolerationSeconds = readInteger(
    raw['tolerationSeconds'],
    `${field}.tolerationSeconds`,
    [-longestSeconds, longestSeconds],
    refuse,
  );
  if (key === undefined && operator !== 'Exists')
    refuse(`${field}.operator`, 'InvalidValue', 'must be Exists where no key is said');
  if (key !== undefined && !isLabelKey(key))
    refuse(`${field}.key`, 'InvalidValue', `${shown(key)} is no name of a taint`);
  if (value !== undefined && (operator === 'Exists' || !isLabelValue(value)))
    refuse(
      `${field}.value`,
      'InvalidValue',
      `${shown(value)} is no value of a taint, or the operator is Exists`,
    );
  if (tolerationSeconds !== undefined && effect !== 'NoExecute')
    refuse(`${field}.tolerationSeconds`, 'InvalidValue', 'is only for the effect NoExecute');
  return {
    ...(key === undefined ? {} : { key }),
    ...(operator === undefined ? {} : { operator }),
    ...(value === undefined ? {} : { value }),
    ...(effect === undefined ? {} : { effect }),
    ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
  };
}
