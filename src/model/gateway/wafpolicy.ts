/** Reads WAFPolicies. */
import type { KubeObject } from '#api/object.ts';
import type { GatewayFirewall } from '#intent/gateway-policy.ts';
import type { Read, Refuse } from '../problem.ts';
import { shown } from '../raw.ts';
import { type ReadField, readAttached } from './attached.ts';
import { type Entry, forms, readChoice, readEntries, readForm, readInteger, readList } from './fields.ts';
import type { WAFPolicyModel } from './policy-types.ts';

/** Fields that keep requests out close them where they can't be read; exclusions that can't are asked all the same. */
export function readWAFPolicy(object: KubeObject): Read<WAFPolicyModel> {
  return readAttached(object, readSettings);
}

const protects = { protects: true } as const;

function readSettings(read: ReadField): WAFPolicyModel['settings'] {
  const mode = read('mode', protects, (value, field, refuse) =>
    readChoice(value, field, ['Off', 'Detect', 'Block'], refuse),
  );
  const paranoia = read('paranoia', protects, (value, field, refuse) =>
    readInteger(value, field, [1, 4], refuse),
  );
  const threshold = read('threshold', protects, (value, field, refuse) =>
    readInteger(value, field, [1, 10_000], refuse),
  );
  const exclusions = read('exclusions', { protects: false }, (value, field, refuse) =>
    readEntries(value, field, refuse).flatMap((entry) => readExclusion(entry, refuse) ?? []),
  );
  const rules = read('configMapRefs', protects, (value, field, refuse) =>
    readEntries(value, field, refuse).flatMap((entry) => {
      const name = readForm(entry.raw['name'], `${entry.field}.name`, forms.section, refuse);
      return name ?? refuse(`${entry.field}.name`, 'Required', 'names no ConfigMap') ?? [];
    }),
  );
  return {
    ...(mode === undefined ? {} : { mode: modes[mode] }),
    ...(paranoia === undefined ? {} : { paranoia }),
    ...(threshold === undefined ? {} : { threshold }),
    ...(exclusions === undefined || exclusions.length === 0 ? {} : { exclusions }),
    ...(rules === undefined || rules.length === 0 ? {} : { rules }),
  };
}

const modes = { Off: 'off', Detect: 'detect', Block: 'block' } as const;

type Exclusion = GatewayFirewall['exclusions'][number];

function readExclusion({ raw, field }: Entry, refuse: Refuse): Exclusion | undefined {
  const texts = (name: 'rules' | 'tags', what: string, form: RegExp): readonly string[] =>
    readList(raw[name], `${field}.${name}`, refuse).flatMap((each, at) => {
      if (typeof each === 'string' && form.test(each)) return [each];
      return refuse(`${field}.${name}[${at}]`, 'InvalidValue', `${shown(each)} is no ${what}`) ?? [];
    });
  const rules = texts('rules', 'id or range of ids', /^\d{1,7}(-\d{1,7})?$/).filter((range, at) => {
    if (!decides(range)) return true;
    refuse(`${field}.rules[${at}]`, 'InvalidValue', `${range} begins or decides, and can't be excluded`);
    return false;
  });
  const tags = texts('tags', 'tag', /^[A-Za-z0-9_./:-]{1,64}$/);
  const target = readForm(raw['target'], `${field}.target`, targetForm, refuse);
  if (rules.length + tags.length === 0 && target === undefined)
    return refuse(field, 'Required', 'excludes nothing; give rules, tags or target');
  return {
    ...(rules.length === 0 ? {} : { rules }),
    ...(tags.length === 0 ? {} : { tags }),
    ...(target === undefined ? {} : { target }),
  };
}

/** Whether nothing but rules that begin or decide is in it; as router/src/firewall.ts has them. */
function decides(range: string): boolean {
  const [first = 0, last = first] = range.split('-').map(Number);
  return machinery.some(([from, to]) => first >= from && last <= to);
}

const machinery = [
  [200_000, 200_099],
  [200_900, 200_999],
  [901_000, 901_999],
  [949_000, 949_999],
] as const;

/** As router/src/firewall.ts has it. */
const targetForm = {
  pattern:
    /^(ARGS|FILES|REQUEST_COOKIES|REQUEST_HEADERS|ARGS_GET|ARGS_POST|ARGS_NAMES|ARGS_GET_NAMES|ARGS_POST_NAMES|FILES_NAMES|REQUEST_BODY|REQUEST_COOKIES_NAMES|REQUEST_FILENAME|REQUEST_HEADERS_NAMES|REQUEST_URI|XML)(:[A-Za-z0-9_.[\]-]{1,128})?$/,
  longest: 160,
  what: 'a part of a request that rules look at, for example ARGS:comment',
} as const;
