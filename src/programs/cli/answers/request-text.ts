/** An answer of `netloom why URL` as people read it. */

import type { AskedRequest, RequestAnswer, RequestBackend } from '#compile/answers/request.ts';
import { instanceObject } from '#compile/gateway/instances/origin.ts';
import { formatOrigin } from '#intent/origin.ts';
import { columns } from '../columns.ts';

const shownEndpoints = 4;

export function requestLines(
  answer: RequestAnswer,
  { scheme, host, port, target, method }: AskedRequest,
): string[] {
  const { gateway, outcome, code, steps, backends, missed } = answer;
  const usual = port === (scheme === 'https' ? 443 : 80);
  const url = `${scheme}://${host}${usual ? '' : `:${port}`}${target}`;
  const rows = [
    ...steps.map(({ kind, text }) => [kind, text]),
    ...backends.map((backend) => ['backend', backendText(backend)]),
    ...missed.map(({ origin, because }) => ['not by', `${formatOrigin(origin)}: ${because}`]),
  ];
  const title = `${outcome}${code === undefined ? '' : ` ${code}`}: ${method} ${url} at ${formatOrigin(instanceObject(gateway))}`;
  return [title, ...columns(rows, '  ')];
}

function backendText({ share, service, protocol, tls, endpoints, code, closed }: RequestBackend): string {
  const part = share === 100 ? '' : `${share} %: `;
  const fate = closed === true ? 'closed' : code;
  if (service === undefined) return `${part}what it refers to can't be used: ${fate}`;
  const by = `${protocol}${tls === undefined ? '' : ` over TLS by ${formatOrigin(tls)}`}`;
  const shown = endpoints.slice(0, shownEndpoints).join(', ');
  const more = endpoints.length - shownEndpoints;
  const where =
    endpoints.length === 0
      ? `no endpoint is ready: ${fate}`
      : `${shown}${more > 0 ? ` and ${more} more` : ''}`;
  return `${part}${formatOrigin(service)} by ${by}, ${where}`;
}
