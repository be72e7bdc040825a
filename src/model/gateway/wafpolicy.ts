/** Reads WAFPolicies. */
import type { KubeObject } from '#api/object.ts';
import type { GatewayFirewall } from '#intent/gateway-policy.ts';
import { collectProblems, type Read, type Refuse } from '../problem.ts';
import { type Raw, shown } from '../raw.ts';
import {
  type Entry,
  forms,
  gatewayObject,
  readChoice,
  readEntries,
  readForm,
  readInteger,
  readList,
  readRaw,
  readReference,
} from './fields.ts';
import type { AttachedPolicy, WAFPolicyModel } from './policy-types.ts';

/** Fields that keep requests out: where one can't be read, nobody gets in until it is mended. */
const protecting = ['spec.mode', 'spec.paranoia', 'spec.threshold', 'spec.configMapRefs'];

/** What can't be used of an exclusion is asked all the same. */
export function readWAFPolicy(object: KubeObject): Read<WAFPolicyModel> {
  const head = gatewayObject(object);
  const { problems, refuse: report } = collectProblems(head.origin);
  const refused: NonNullable<AttachedPolicy['refused']>[number][] = [];
  const refuse: Refuse = (field, code, message) => {
    const protects = protecting.some((each) => field.startsWith(each));
    refused.push({ field, message, ...(protects ? { protects } : {}) });
    return report(field, code, message);
  };
  const spec = readRaw(object['spec'], 'spec', refuse);
  const mode = readChoice(spec['mode'], 'spec.mode', ['Off', 'Detect', 'Block'], refuse);
  const paranoia = readInteger(spec['paranoia'], 'spec.paranoia', [1, 4], refuse);
  const threshold = readInteger(spec['threshold'], 'spec.threshold', [1, 10_000], refuse);
  const exclusions = readEntries(spec['exclusions'], 'spec.exclusions', refuse).flatMap(
    (entry) => readExclusion(entry, refuse) ?? [],
  );
  const rules = readEntries(spec['configMapRefs'], 'spec.configMapRefs', refuse).flatMap(({ raw, field }) => {
    if (raw['name'] === undefined || raw['name'] === '')
      return refuse(`${field}.name`, 'Required', 'names no ConfigMap') ?? [];
    return readForm(raw['name'], `${field}.name`, forms.section, refuse) ?? [];
  });
  const value: WAFPolicyModel = {
    ...head,
    targets: readTargets(spec, refuse),
    enforced: spec['enforced'] === true,
    settings: {
      ...(mode === undefined ? {} : { mode: modes[mode] }),
      ...(paranoia === undefined ? {} : { paranoia }),
      ...(threshold === undefined ? {} : { threshold }),
      ...(exclusions.length === 0 ? {} : { exclusions }),
      ...(rules.length === 0 ? {} : { rules }),
    },
    ...(refused.length === 0 ? {} : { refused }),
  };
  return { value, problems };
}

const modes = { Off: 'off', Detect: 'detect', Block: 'block' } as const;

function readTargets(spec: Raw, refuse: Refuse): WAFPolicyModel['targets'] {
  return readEntries(spec['targetRefs'], 'spec.targetRefs', refuse).flatMap((entry) => {
    const { group, kind, name } = readReference(entry, {}, refuse);
    const { raw, field } = entry;
    const section = readForm(raw['sectionName'], `${field}.sectionName`, forms.section, refuse);
    return name === '' ? [] : [{ group, kind, name, ...(section === undefined ? {} : { section }) }];
  });
}

type Exclusion = GatewayFirewall['exclusions'][number];

function readExclusion({ raw, field }: Entry, refuse: Refuse): Exclusion | undefined {
  const texts = (name: 'rules' | 'tags', what: string, form: RegExp): readonly string[] =>
    readList(raw[name], `${field}.${name}`, refuse).flatMap((each, at) => {
      if (typeof each === 'string' && form.test(each)) return [each];
      return refuse(`${field}.${name}[${at}]`, 'InvalidValue', `${shown(each)} is no ${what}`) ?? [];
    });
  const rules = texts('rules', 'id or range of ids', /^\d{1,7}(-\d{1,7})?$/);
  const tags = texts('tags', 'tag', /^[A-Za-z0-9_./:-]{1,64}$/);
  const target = readForm(raw['target'], `${field}.target`, targetForm, refuse);
  const isBroken = raw['target'] !== undefined && raw['target'] !== '' && target === undefined;
  // Rules that are to be left out for one field only would be left out for all.
  if (isBroken) return undefined;
  if (
    rules.length + tags.length === 0 &&
    (target === undefined || raw['rules'] !== undefined || raw['tags'] !== undefined)
  )
    return refuse(field, 'Required', 'excludes nothing; give rules, tags or target');
  return {
    ...(rules.length === 0 ? {} : { rules }),
    ...(tags.length === 0 ? {} : { tags }),
    ...(target === undefined ? {} : { target }),
  };
}

/** As router/src/firewall.ts has it. */
const targetForm = {
  pattern:
    /^(ARGS|FILES|REQUEST_COOKIES|REQUEST_HEADERS|ARGS_GET|ARGS_POST|ARGS_NAMES|ARGS_GET_NAMES|ARGS_POST_NAMES|FILES_NAMES|REQUEST_BODY|REQUEST_COOKIES_NAMES|REQUEST_FILENAME|REQUEST_HEADERS_NAMES|REQUEST_URI|XML)(:[A-Za-z0-9_.[\]-]{1,128})?$/,
  longest: 160,
  what: 'a part of a request that rules look at, for example ARGS:comment',
} as const;
