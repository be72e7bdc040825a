/** CEL rules on custom resources: what compiles, what is refused, and what each library function says. */
import { describe, expect, it } from 'vitest';
import type { Schema } from '../../types.ts';
import { type AdmitOptions, admit } from '../validate.ts';
import { rulesProblems } from './compile.ts';

const text = { type: 'string' } as const;
const spec: Schema = {
  type: 'object',
  properties: {
    name: text,
    other: text,
    count: { type: 'integer' },
    ratio: { type: 'number' },
    size: { 'x-kubernetes-int-or-string': true },
    tags: { type: 'array', items: text, 'x-kubernetes-list-type': 'set' },
    plain: { type: 'array', items: { type: 'integer' } },
    ports: {
      type: 'array',
      items: {
        type: 'object',
        required: ['name'],
        properties: { name: text, port: { type: 'integer' } },
      },
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
    },
    labels: { type: 'object', additionalProperties: text },
    since: { type: 'string', format: 'date-time' },
    maybe: { type: 'string', nullable: true },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    'dashed-name': text,
    namespace: text,
  },
};

function schemaWith(rule: object, place: 'root' | 'spec' = 'spec'): Schema {
  const rules = { 'x-kubernetes-validations': [rule] };
  const inner = place === 'spec' ? { ...spec, ...rules } : spec;
  return { type: 'object', properties: { spec: inner }, ...(place === 'root' ? rules : {}) };
}

function object(value: object) {
  return {
    apiVersion: 'example.com/v1',
    kind: 'Example',
    metadata: { name: 'a', namespace: 'd' },
    spec: value,
  };
}

/** Messages of a rule over a spec; `old` makes it an update. */
function judge(rule: string | object, value: object, old?: object): readonly string[] {
  const schema = schemaWith(typeof rule === 'string' ? { rule } : rule);
  expect(rulesProblems(schema, '')).toEqual([]);
  const options: AdmitOptions = {
    operation: old === undefined ? 'create' : 'update',
    old: old === undefined ? undefined : object(old),
    fieldValidation: 'Strict',
    cel: true,
  };
  return admit(schema, object(value), options).problems.map((each) => `${each.field}: ${each.message}`);
}

const everything = {
  name: 'web-1',
  other: '10.0.0.0/8',
  count: 3,
  ratio: 1.5,
  size: '50%',
  tags: ['a', 'b'],
  plain: [1, 3, 2],
  ports: [
    { name: 'http', port: 80 },
    { name: 'https', port: 443 },
  ],
  labels: { 'a/b': 'c' },
  since: '2026-01-02T03:04:05Z',
  free: { x: [1, 2.5] },
  'dashed-name': 'd',
  namespace: 'n',
};

describe('rules that hold', () => {
  it.each([
    'self.count == 3 && self.ratio < 2.0 && self.count > 2',
    "self.size == '50%' && type(self.size) == string",
    "self.ports.all(p, p.port > 0) && self.ports.exists_one(p, p.name == 'http')",
    'self.ports.map(p, p.port).sum() == 523 && self.ports.filter(p, p.port > 100).size() == 1',
    "self.labels['a/b'] == 'c' && 'a/b' in self.labels && self.labels.all(k, k.startsWith('a'))",
    "self.since > timestamp('2025-01-01T00:00:00Z') && self.since.getFullYear() == 2026",
    '!has(self.maybe) && has(self.free.x) && self.free.x[0] == 1',
    "self.dashed__dash__name == 'd' && self.__namespace__ == 'n'",
    "self.?maybe.orValue('z') == 'z' && self.?name.hasValue()",
    "self.?name.optMap(n, n + '!').orValue('') == 'web-1!'",
    'optional.none() == optional.none() && optional.of(1) != optional.none()',
    'self.plain.min() == 1 && self.plain.max() == 3 && !self.plain.isSorted() && self.plain.indexOf(2) == 2',
    'self.plain.all(i, v, v > 0 && i < 3) && self.plain.exists(i, v, i == 2 && v == 2)',
    'self.plain.transformList(i, v, v * 2) == [2, 6, 4]',
    "self.labels.transformMap(k, v, k + v) == {'a/b': 'a/bc'}",
    "sets.contains(self.tags, ['b']) && sets.intersects(self.tags, ['z', 'a']) && sets.equivalent(['b', 'a'], self.tags)",
    "self.name.matches('^web-[0-9]+$') && self.name.find('[0-9]+') == '1' && self.name.findAll('[a-z]').size() == 3",
    "self.name.matches(r'(?i)^WEB')",
    "self.name.replace('-', '_') == 'web_1' && self.name.charAt(0) == 'w' && self.name.split('-')[1] == '1'",
    "'%s has %d and %.2f'.format([self.name, self.count, self.ratio]) == 'web-1 has 3 and 1.50'",
    "isCIDR(self.other) && cidr(self.other).containsIP('10.1.2.3') && !cidr(self.other).containsCIDR('11.0.0.0/16')",
    "cidr('10.1.2.3/8').masked() == cidr(self.other) && cidr(self.other).prefixLength() == 8",
    "ip('::1').isLoopback() && ip('10.0.0.1').family() == 4 && ip('8.8.8.8').isGlobalUnicast() && !isIP('1.2.3')",
    "ip.isCanonical('::1') && !ip.isCanonical('0::1') && string(ip('FE80::1')) == 'fe80::1' && !isIP('::ffff:1.2.3.4')",
    "url('https://a.example:8443/p?x=1&x=2').getHostname() == 'a.example' && url('https://a.example:8443/p?x=1&x=2').getQuery()['x'] == ['1', '2']",
    "isURL('/path') && !isURL('not one') && url('http://[::1]:80/').getPort() == '80'",
    "quantity('1500m').isGreaterThan(quantity('1')) && quantity('1Ki').add(24).asInteger() == 1048 && !isQuantity('1x')",
    "quantity('1k') == quantity('1000') && string(quantity('1024Ki')) == '1Mi'",
    "!format.dns1123Label().validate(self.name).hasValue() && format.dns1035Label().validate('1a').hasValue()",
    "format.named('uuid').hasValue() && !format.named('nothing').hasValue()",
    "duration('90s') == duration('1m30s') && duration('1500ms').getMilliseconds() == 1500",
    "self.tags == ['b', 'a'] && self.tags + ['b', 'c'] == ['a', 'b', 'c']",
    'cel.bind(n, self.count, n + n == 6)',
  ])('%s', (rule) => {
    expect(judge(rule, everything)).toEqual([]);
  });
});

describe('rules that fail', () => {
  it('say the message, at the field', () => {
    expect(judge({ rule: 'self.count > 5', message: 'too few' }, everything)).toEqual([
      'spec: Invalid value: "object": too few',
    ]);
    expect(judge('self.count > 5', everything)).toEqual([
      'spec: Invalid value: "object": failed rule: self.count > 5',
    ]);
  });

  it('say what messageExpression gives, with reason and fieldPath', () => {
    const rule = {
      rule: 'self.count > 5',
      messageExpression: "'only ' + string(self.count)",
      reason: 'FieldValueForbidden',
      fieldPath: '.count',
    };
    expect(judge(rule, everything)).toEqual(['spec.count: Forbidden: only 3']);
  });

  it('say why evaluation stopped', () => {
    expect(judge("self.maybe == 'a'", everything)).toEqual([
      `spec: Invalid value: "object": no such key: maybe evaluating rule: self.maybe == 'a'`,
    ]);
  });
});

describe('oldSelf', () => {
  const frozen = { rule: 'self.count == oldSelf.count', message: 'count is immutable' };

  it('is not there on creation, so transition rules wait', () => {
    expect(judge(frozen, { count: 1 })).toEqual([]);
    expect(judge(frozen, { count: 2 }, { count: 1 })).toEqual([
      'spec: Invalid value: "object": count is immutable',
    ]);
  });

  it('is an optional when asked for', () => {
    const rule = {
      rule: 'oldSelf.hasValue() || self.count == 1',
      optionalOldSelf: true,
      message: 'starts at 1',
    };
    expect(judge(rule, { count: 2 })).toEqual(['spec: Invalid value: "object": starts at 1']);
    expect(judge(rule, { count: 2 }, { count: 1 })).toEqual([]);
  });

  it('follows items of a map list by key, wherever they stand', () => {
    const ports = spec.properties!.ports!;
    const items = {
      ...ports.items,
      'x-kubernetes-validations': [{ rule: 'self.port >= oldSelf.port', message: 'ports only grow' }],
    };
    const schema: Schema = {
      type: 'object',
      properties: { spec: { ...spec, properties: { ...spec.properties, ports: { ...ports, items } } } },
    } as Schema;
    const old = object({
      ports: [
        { name: 'a', port: 5 },
        { name: 'b', port: 6 },
      ],
    });
    const now = object({
      ports: [
        { name: 'b', port: 7 },
        { name: 'a', port: 4 },
      ],
    });
    const { problems } = admit(schema, now, {
      operation: 'update',
      old,
      fieldValidation: 'Strict',
      cel: true,
    });
    expect(problems.map((each) => each.field)).toEqual(['spec.ports[1]']);
  });

  it('ignores the order of sets', () => {
    const rule = { rule: 'self.tags == oldSelf.tags', message: 'tags are immutable' };
    expect(judge(rule, { tags: ['b', 'a'] }, { tags: ['a', 'b'] })).toEqual([]);
    expect(judge(rule, { tags: ['b', 'c'] }, { tags: ['a', 'b'] })).toHaveLength(1);
  });

  it('leaves what an update does not touch alone', () => {
    const rule = { rule: "self.name != 'bad'", message: 'bad name' };
    expect(judge(rule, { name: 'bad' })).toHaveLength(1);
    expect(judge(rule, { name: 'bad' }, { name: 'bad' })).toEqual([]);
    expect(judge(rule, { name: 'bad', count: 1 }, { name: 'bad' })).toHaveLength(1);
  });
});

describe('rules that cannot be used refuse the CRD', () => {
  it.each([
    ['self.nothing == 1', /No such key: nothing|no such key: nothing/],
    ['has(self.nothing)', /no such key: nothing/i],
    ['self.ports.all(p, has(p.nothing))', /no such key: nothing/i],
    ['self.count', /must evaluate to a bool/],
    ["self.count == 'a'", /no such overload/],
    ['self.count >', /compilation failed/],
    ["self.name.matches('(?=x)')", /invalid regular expression/],
    ['unknownFunction(self)', /found no matching overload/],
    ["self.name.matchesRe2('a')", /undeclared reference/],
    ['object.spec.count == 1', /Unknown variable/],
    ['', /rule is not specified/],
  ])('%s', (rule, reason) => {
    const [problem] = rulesProblems(schemaWith({ rule }), 'schema');
    expect(problem?.field).toBe('schema.properties[spec].x-kubernetes-validations[0].rule');
    expect(problem?.message).toMatch(reason);
  });

  it.each([
    [{ rule: 'true', messageExpression: '1' }, 'messageExpression'],
    [{ rule: 'true', reason: 'Whatever' }, 'reason'],
    [{ rule: 'true', fieldPath: '.nothing' }, 'fieldPath'],
    [{ rule: 'true', message: ' ' }, 'message'],
    [{ rule: 'true', optionalOldSelf: true }, 'optionalOldSelf'],
  ])('%j', (rule, field) => {
    expect(rulesProblems(schemaWith(rule), '').map((each) => each.field)).toEqual([
      `properties[spec].x-kubernetes-validations[0].${field}`,
    ]);
  });

  it('oldSelf of items that have no identity', () => {
    const items = { type: 'string', 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] };
    const schema = { type: 'object', properties: { list: { type: 'array', items } } } as Schema;
    expect(rulesProblems(schema, '')[0]?.message).toMatch(/uncorrelatable/);
  });
});

it('sees the names of the root alone', () => {
  expect(
    rulesProblems(schemaWith({ rule: "self.metadata.name == 'a' && self.kind != ''" }, 'root'), ''),
  ).toEqual([]);
  expect(rulesProblems(schemaWith({ rule: 'has(self.metadata.labels)' }, 'root'), '')).toHaveLength(1);
});
