/** A tenant's own rules: what is let through, in which words, and what is refused. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { readFirewallRules } from './firewall-rules.ts';

const read = (rules: unknown, name = 'own') =>
  readFirewallRules({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'shop', name },
    data: { rules },
  });
const printed = (rules: string, name?: string) => {
  const { value, problems } = read(rules, name);
  expect(problems).toEqual([]);
  return value?.rules;
};
const problem = (rules: unknown) => {
  const { value, problems } = read(rules);
  expect(value).toBeUndefined();
  return problems.map(({ message }) => message).join();
};

describe('what is let through', () => {
  it('is printed anew', () => {
    expect(
      printed(`
        # No orders by robots.
        SecRule REQUEST_HEADERS:User-Agent|ARGS "@contains robot" \\
            "id:100, phase:1, block, t:none,t:lowercase, msg:'No robots, please', tag:'shop', severity:CRITICAL"
        SecRule &ARGS:item "!@eq 1" "id:101,phase:2,deny,status:422,nolog,chain"
          SecRule REQUEST_METHOD "@streq POST" "t:none"
        SecAction "id:102,pass,nolog,setvar:tx.anomaly_score_pl1=+%{tx.warning_anomaly_score}"
        SecRule ARGS "(?i)\\bfoo\\"bar\\b" id:103
      `),
    ).toBe(
      [
        `SecRule REQUEST_HEADERS:User-Agent|ARGS "@contains robot" "id:100,phase:1,deny,status:403,log,auditlog,msg:'No robots, please',severity:2,tag:'shop',t:none,t:lowercase"`,
        `SecRule &ARGS:item "!@eq 1" "id:101,phase:2,deny,status:422,nolog,chain"`,
        `SecRule REQUEST_METHOD "@streq POST" "t:none"`,
        `SecAction "id:102,phase:2,pass,nolog,setvar:'tx.anomaly_score_pl1=+3'"`,
        `SecRule ARGS "@rx (?i)\\bfoo\\x22bar\\b" "id:103,phase:2,pass,log,auditlog,severity:5"`,
        '',
      ].join('\n'),
    );
  });

  it('has variables of its own, whatever another ConfigMap calls its', () => {
    const rules = 'SecAction "id:1,phase:1,pass,setvar:tx.count=1"\nSecRule TX:count "@gt 0" "id:2,deny"\n';
    const name = (of: string) => /tx\.(own_[0-9a-f]{12}_count)/.exec(printed(rules, of) ?? '')?.[1];
    expect(name('one')).not.toBe(name('two'));
    expect(printed(rules, 'one')).toContain(`SecRule TX:${name('one')} `);
  });
});

it.each([
  ['nothing', undefined, /not there/],
  ['no text', 7, /not there/],
  ['comments only', '# x', /no rule/],
  ['another directive', 'SecRuleEngine Off', /only SecRule and SecAction/],
  ['a file', 'Include /etc/passwd', /only SecRule and SecAction/],
  ['a directive in other letters', 'secruleengine Off', /only SecRule/],
  ['Lua', 'SecRuleScript /x.lua "id:1"', /only SecRule/],
  ['a program', 'SecRule ARGS "@rx x" "id:1,exec:/bin/sh"', /exec.* start no programs/],
  ['control of the engine', 'SecAction "id:1,ctl:ruleEngine=Off"', /ctl/],
  ['a way around other rules', 'SecAction "id:1,allow"', /allow/],
  ['jumps', 'SecAction "id:1,skipAfter:END"', /skipafter/],
  ['a list in a file', 'SecRule ARGS "@pmFromFile /etc/passwd" "id:1"', /pmFromFile/],
  ['addresses in a file', 'SecRule REMOTE_ADDR "@ipMatchFromFile x" "id:1"', /ipMatchFromFile/],
  ['a program that inspects', 'SecRule FILES "@inspectFile /bin/x" "id:1"', /inspectFile/],
  ['names of DNS', 'SecRule REMOTE_ADDR "@rbl x.test" "id:1"', /rbl/],
  ['the environment', 'SecRule ENV:HOME "@rx x" "id:1"', /ENV:HOME/],
  ['files of uploads', 'SecRule FILES_TMPNAMES "@rx x" "id:1"', /FILES_TMPNAMES/],
  ['variables of the Core Rule Set', 'SecAction "id:1,setvar:tx.anomaly_score_pl1=0"', /only be raised/],
  ['scores that fall', 'SecAction "id:1,setvar:tx.anomaly_score_pl1=-5"', /only be raised|value/],
  ['scores too early', 'SecAction "id:1,phase:1,setvar:tx.anomaly_score_pl1=+5"', /phase 2/],
  ['another collection', 'SecAction "id:1,setvar:ip.x=1"', /no variable of tx/],
  ['macros', `SecAction "id:1,logdata:'%{ENV.HOME}'"`, /logdata/],
  ['macros in operators', 'SecRule ARGS "@streq %{ENV.HOME}" "id:1"', /%\{/],
  ['a quote in a text', `SecRule ARGS "@contains a\\"b" "id:1"`, /quotes/],
  ['an end of line in a text', 'SecRule ARGS "@contains a\\u000ab" "id:1"', /backslashes/],
  ['a line that begins another', 'SecAction "id:1,msg:\'x\'"\u0000', /printable/],
  ['a pattern that is none', 'SecRule ARGS "@rx (" "id:1"', /nothing closes/],
  ['a pattern with recursion', 'SecRule ARGS "@rx (?R)" "id:1"', /isn't allowed/],
  ['a pattern for names', 'SecRule ARGS:/x/ "@rx x" "id:1"', /can’t be named/],
  ['no id', 'SecRule ARGS "@rx x" "deny"', /no id/],
  ['an id of the Core Rule Set', 'SecRule ARGS "@rx x" "id:942100"', /from 1 to 99999/],
  ['an id twice', 'SecAction "id:1"\nSecAction "id:1"', /line 2: id 1/],
  ['answers', 'SecRule RESPONSE_BODY "@rx x" "id:1,phase:4"', /RESPONSE_BODY/],
  ['phases of answers', 'SecRule ARGS "@rx x" "id:1,phase:3"', /phase/],
  ['an open chain', 'SecRule ARGS "@rx x" "id:1,chain"', /within a chain/],
  ['an open quote', 'SecRule ARGS "@rx x', /quote/],
  ['an open single quote', 'SecRule ARGS "@rx x" "id:1,msg:\'x"', /closed/],
  [
    'too many',
    Array.from({ length: 201 }, (_, at) => `SecAction "id:${at + 1}"`).join('\n'),
    /more than 200/,
  ],
  ['too much', `SecAction "id:1"${' '.repeat(70_000)}`, /longer/],
])('%s: refused', (_name, rules, expected) => {
  expect(problem(rules)).toMatch(expected);
});

/** Whatever a text holds, what is printed of it has the form of rules, and no word of it is longer than its quotes. */
test('nothing but rules is ever printed', () => {
  const pieces = fc.constantFrom(
    'SecRule',
    'SecAction',
    'ARGS',
    'TX:a',
    '"',
    "'",
    '\\',
    '\n',
    ' ',
    ',',
    '@rx ',
    '@streq ',
    'a',
    '[b"]',
    '\\"',
    '%{ENV.x}',
    'id:1',
    'id:2',
    'deny',
    'exec:/x',
    'ctl:ruleEngine=Off',
    'Include /x',
    "msg:'m'",
    'setvar:tx.a=1',
    'chain',
    '|',
    '#',
  );
  const words = fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join(''));
  const line = fc
    .tuple(words, words, words)
    .map(
      ([subject, operator, actions]) => `SecRule ${subject || 'ARGS'} "@rx ${operator}" "id:7,${actions}"`,
    );
  const form =
    /^(SecAction|SecRule [A-Z_:&!|/*@0-9a-z.[\]-]+ "!?@[A-Za-z0-9]+( [^"\n]+)?") "(?:id:\d+,phase:[12],)?(?:[a-zA-Z0-9]+(?::(?:'[^'"\n]*'|[^,'"\n]*))?,?)*"$/;
  fc.assert(
    fc.property(fc.oneof(line, words), (text) => {
      for (const each of (read(text).value?.rules ?? '').split('\n'))
        if (each !== '') expect(each).toMatch(form);
    }),
    { numRuns: 2_000 },
  );
});
