/** docs/alb-kinds.md: what is served of ALB's kinds, with all their fields and annotations. Printed from the catalogues. */
import { type AlaudaKind, type FieldEntry, type FieldState, fieldsOfKind } from '#model/alauda/catalogue.ts';
import type { AnnotationRow } from '../ingress/annotations.ts';
import {
  albFirewallPrefix,
  albFirewallRows,
  albNetworkingPrefix,
  albNetworkingRows,
  albPrefix,
  albRows,
} from '../ingress/catalogue/alb.ts';

const kinds: readonly AlaudaKind[] = ['ALB2', 'Frontend', 'Rule'];

export function kindsPage(): string {
  return `${[intro, ...kinds.map(kindSection), annotations()].join('\n')}`;
}

function kindSection(kind: AlaudaKind): string {
  const fields = [...fieldsOfKind(kind)];
  const count = (state: FieldState) => fields.filter(([, entry]) => entry.state === state).length;
  return `## ${kind}

${count('done')} done, ${count('translated')} translated, ${count('refused')} refused.

| field | | what becomes of it |
| --- | --- | --- |
${fields.map(([field, entry]) => fieldRow(field, entry)).join('\n')}
`;
}

function fieldRow(field: string, { state, what }: FieldEntry): string {
  return `| \`${field}\` | ${state} | ${what.replaceAll('|', '\\|')} |`;
}

function annotations(): string {
  const rows = [
    ...albRows.map((row) => [albPrefix, row] as const),
    ...albNetworkingRows.map((row) => [albNetworkingPrefix, row] as const),
    ...albFirewallRows.map((row) => [albFirewallPrefix, row] as const),
  ];
  return `## Annotations of Ingresses

What an Ingress says to ALB, beside what it says to ingress-nginx (docs/ingress.md): of one name under both, ALB's holds. Annotations for one
path (\`index.RULE-PATH.alb.ingress.cpaas.io/…\`) are refused; those that protect (*) close what they are for until they can be honoured.

| annotation | | what becomes of it |
| --- | --- | --- |
${rows.map(([prefix, row]) => annotationRow(prefix, row)).join('\n')}
`;
}

function annotationRow(prefix: string, { name, state, text, of, closes }: AnnotationRow): string {
  const part = of === undefined ? '' : ` With \`${of}\`.`;
  return `| \`${prefix}${name}\`${closes === true ? ' *' : ''} | ${state} | ${text.replaceAll('|', '\\|')}${part} |`;
}

const intro = `# ALB's kinds

Objects of \`crd.alauda.io\` are served as they are: an ALB2 with the annotation

    netloom.dev/serve: "true"

becomes an instance of the gateway (docs/alb.md), each Frontend that is labelled \`alb2.cpaas.io/name\` with it a port, each Rule that is labelled
\`alb2.cpaas.io/frontend\` with that a route. Without the annotation an ALB2 is ALB's own: in a cluster where that runs, nothing of it is touched.
The kinds are installed where a cluster has none. examples/alb-kinds.yaml is one of each. \`netloom import alb FILE…\` prints them as Gateway API and policies (docs/import.md).

What an ALB2 and the Frontend at the port say of auth, timeouts and the firewall holds for Ingresses there, too, as in ALB, where these are Rules.

Which Rule takes a request is decided as in ALB: by priority, then weight, then the length of \`dslx\`, then name; docs of the source
(src/compile/alauda) say how, and where Ingresses at the same port come in. What ALB did and nobody should isn't done:

| ALB | here |
| --- | --- |
| Services and certificates of any namespace | only with a ReferenceGrant there, from \`HTTPRoute\`, \`TCPRoute\`, \`UDPRoute\` (Services) or \`ListenerSet\` (Secrets) of the namespace of the Frontend. Withdrawn, nothing is served by it any more |
| \`SRC_IP\` and \`sip-hash\` by X-Real-IP and X-Forwarded-For | by the address of the connection; behind proxies a TrafficPolicy's \`trustedProxies\` say whom to believe |
| text of tenants in nginx's configuration | none: no snippets, no transaction ids, no rules of ModSecurity but those that are parsed |
| a wildcard \`*\` with credentials (CORS) | \`*\` without |

What protects (auth, modsecurity, \`SRC_IP\`) and can't be honoured as it is written lets nobody in (503). Whatever is refused is told as an
event of the object and in the log; the rest is served.

The status of an ALB2 has state, reason and addresses, that of a Frontend whether its port is another's (\`instances.netloom.conflict\`). A Rule has none: what is wrong
with it is told as an event, also that there is no Frontend as it names it, if the ALB2 that its label \`alb2.cpaas.io/name\` names is served.

| \`dslx\` | operators |
| --- | --- |
| HOST | EQ, IN, ENDS_WITH (\`*.example.org\` and \`.example.org\`: any name below), STARTS_WITH, REGEX |
| URL | EQ, IN, STARTS_WITH (of the text, not of segments), REGEX (found anywhere) |
| METHOD | EQ, IN |
| HEADER, PARAM, COOKIE | EQ, IN, STARTS_WITH, ENDS_WITH, REGEX, EXIST |
| SRC_IP | EQ, IN, RANGE |

A Rule without \`dslx\` takes what \`domain\` and \`url\` say, as older ALBs had it: that host, paths that begin so. \`dsl\` alone isn't read.

Regular expressions are those that the gateway lets through: no lookaround, no references to groups. A Rule of which a condition can't be
told isn't served, and if it protects, what the other conditions take gets 503. Two terms of one type (or for one header, parameter or cookie) are
such a condition.
`;
