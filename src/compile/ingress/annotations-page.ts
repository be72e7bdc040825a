/** docs/ingress.md: what is served of Ingresses, with all annotations of ingress-nginx. Printed from the catalogue. */
import type { AnnotationRow } from './annotations.ts';
import { goneRows, nginxRows } from './catalogue/index.ts';

export function ingressPage(): string {
  const documented = nginxRows.filter((row) => !goneRows.includes(row));
  const count = (state: AnnotationRow['state']) => documented.filter((row) => row.state === state).length;
  return `${intro}
## Annotations of ingress-nginx

Under \`nginx.ingress.kubernetes.io/\`. Of ${documented.length} (all that v1.15 documents, what else its sources know, and older names of these)
${count('done')} are done as there, ${count('translated')} translated with a difference that is named, ${count('refused')} refused: an event (reason AnnotationRefused) and a line of the log say so, and the rest of the Ingress is served.
Those with a * protect: while one of them can't be honoured, whatever the Ingress is for gets 503 (ProtectionMissing).

| annotation | | what becomes of it |
| --- | --- | --- |
${documented.map(line).join('\n')}

Refused, and gone from ingress-nginx: ${goneRows.map(({ name }) => `\`${name}\``).join(', ')}.
`;
}

function line({ name, state, text, of, closes, needsValue }: AnnotationRow): string {
  const part = of === undefined ? '' : ` With \`${of}\`.`;
  return `| \`${name}\`${closes === true || needsValue === true ? ' *' : ''} | ${state} | ${text.replaceAll('|', '\\|')}${part} |`;
}

const intro = `# Ingress

Ingresses (networking.k8s.io/v1) are served by the ALB of their class (docs/alb.md). An IngressClass is ours by its controller
\`netloom.dev/ingress\`; its parameters name the ALB, or the ALB says by \`spec.ingressClass\` which class it serves, and the IngressClass is made if
there is none, and goes with the ALB. An Ingress without a class is of the class that is the default. \`netloom import ingress-nginx FILE…\` prints what Ingresses are as
Gateway API and policies.

    apiVersion: netloom.dev/v1alpha1
    kind: ALB
    metadata: {name: main, namespace: edge}
    spec:
      ingressClass: {name: nginx, default: true}
      tenants: {selector: {}}

Only Ingresses of the ALB's tenants are served, and only for hostnames that are theirs (docs/alb.md). The status has the ALB's addresses as soon as
one of the Ingress's hosts is served. What isn't served is told as events of the Ingress.

| what | how |
| --- | --- |
| hosts | exact, and \`*.example.org\` for any name below (Kubernetes says one label; ingress-nginx and Gateway API take any number); a rule without a host is for all that no other rule has |
| \`Exact\`, \`Prefix\` | as Kubernetes has it: a prefix ends at a segment |
| \`ImplementationSpecific\` | as \`Prefix\` (ingress-nginx: any text that begins so); with \`use-regex\` a regular expression |
| precedence | exact paths, then the longest prefix, then regular expressions, the longest first; \`/\` last. Of two Ingresses with one host and path the older |
| \`defaultBackend\` | with rules: for what none of its paths takes at its own hosts; without: for whatever nobody else has |
| backends | Services, by number or name of the port. Resources and ExternalName Services are refused (500) |
| \`tls\` | each host has the Secret's certificate. Of several Ingresses of a namespace the oldest that has TLS for a host says which. Without a Secret: that of the ALB. An entry without hosts is for all hosts of the Ingress |
| HTTP for hosts with TLS | 308 to HTTPS, but for \`/.well-known/acme-challenge\` |
| events | AnnotationRefused, ProtectionMissing, NotServed, ReferenceNotFound, PortNotFound, InvalidPattern … |

An Ingress is policy's target (\`kind: Ingress\`), too: what it can't say itself says a TrafficPolicy or WAFPolicy. Policies for a Service hold
for Ingresses that send there.

## What ingress-nginx does that surprises

| there | here |
| --- | --- |
| \`use-regex\` or \`rewrite-target\` of one Ingress makes regular expressions of all paths of the host | so here, among the Ingresses of a namespace: nobody else's paths change |
| expressions take any case of letters, and whatever follows | so here |
| \`/path\` without a slash at its end is sent to \`/path/\` in some cases | never: \`/path\` and \`/path/\` are one prefix |
| \`.\`, \`..\` and \`//\` in a request's path are resolved before it is looked up | so here, and backends get the resolved path |
| limits are 1m for bodies unless said otherwise | none, unless \`proxy-body-size\` or a policy says one |
`;
