/** What `netloom gateway` says as people read it; pure. */
import type { GatewayAnswer, ListenerAnswer } from '#compile/answers/gateways.ts';
import { formatOrigin } from '#intent/origin.ts';
import { columns } from './columns.ts';

export function gatewayLines(answers: readonly GatewayAnswer[]): string[] {
  if (answers.length === 0) return ['there is no Gateway of a class of ours, and no ALB'];
  return answers.flatMap((answer, index) => [...(index === 0 ? [] : ['']), ...linesOf(answer)]);
}

function linesOf(answer: GatewayAnswer): string[] {
  const { object, sharedBy = [], addresses, listeners, routes, backends, problems } = answer;
  return [
    `${formatOrigin(object)} at ${addresses.length === 0 ? 'no address' : addresses.join(', ')}`,
    ...(sharedBy.length === 0 ? [] : [`shared by ${sharedBy.map((key) => `Gateway ${key}`).join(', ')}`]),
    ...table(
      ['LISTENER', 'PORT', 'KIND', 'HOSTNAME', 'ROUTES'],
      listeners.map((each) => [
        nameOf(each, object),
        each.port ?? '-',
        each.kind ?? 'not served',
        each.hostname === undefined ? '-' : each.hostname || 'any',
        String(each.routes),
      ]),
    ),
    ...table(
      ['ROUTE', 'HOSTS', 'RULES', 'TO'],
      routes.map(({ route, hosts, rules, to }) => [
        formatOrigin(route),
        hosts.map((host) => host || 'any').join(',') || '-',
        String(rules),
        to.join(',') || '-',
      ]),
    ),
    ...table(
      ['BACKEND', 'SPOKEN TO BY', 'ENDPOINTS'],
      backends.map(({ place, protocol, tls, endpoints }) => [
        place,
        tls === undefined ? protocol : `${protocol}, TLS by ${tls}`,
        String(endpoints.length),
      ]),
    ),
    ...(problems.length === 0 ? [] : ['', ...problems.map((problem) => `  ${problem}`)]),
  ];
}

function nameOf({ of, name }: ListenerAnswer, object: GatewayAnswer['object']): string {
  return formatOrigin(of) === formatOrigin(object) ? name : `${name} (${formatOrigin(of)})`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return rows.length === 0 ? [] : ['', ...columns([head, ...rows], '  ').map((line) => line.trimEnd())];
}
