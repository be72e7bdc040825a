/** `netloom why URL`: what gateways do with a request, and what decides it at each step. */
import { type AskedRequest, explainRequest, type RequestAnswer } from '#compile/answers/request.ts';
import { gatewaySource } from './answers/gateway-source.ts';
import { requestLines } from './answers/request-text.ts';
import { exitCodes, type Invocation, UsageError } from './command.ts';
import { isMeant } from './gateway.ts';

export function isURL(operand: string | undefined): operand is string {
  return operand !== undefined && /^https?:\/\//i.test(operand);
}

export async function runRequest(invocation: Invocation, url: string): Promise<number> {
  const { values, out } = invocation;
  const asked = readRequest(url, values);
  const { gateways } = await gatewaySource(invocation);
  const only = values.gateway;
  const port = `tcp/${asked.port}`;
  const chosen = gateways.filter(({ key, sharers, intent }) =>
    typeof only === 'string' ? isMeant(key, sharers, only) : intent.ports[port] !== undefined,
  );
  if (chosen.length === 0) {
    throw new UsageError(
      typeof only === 'string'
        ? `netloom why: there is no Gateway ${only} of ours`
        : `netloom why: no Gateway of ours listens at ${port}; netloom gateway tells what they do`,
    );
  }
  const answers = chosen.map(({ key, intent }) => explainRequest(key, intent, asked));
  // Of several gateways with the port those that have no listener for the host are not meant.
  const meant = answers.filter(({ steps }) => steps.some(({ kind }) => kind === 'route'));
  const told = only === undefined && meant.length > 0 ? meant : answers;
  if (values.output === 'json') out(JSON.stringify({ answers: told }));
  else for (const line of told.flatMap((answer) => requestLines(answer, asked))) out(line);
  return codeOf(told);
}

/** Throws UsageError for what is no request. */
export function readRequest(url: string, values: Invocation['values']): AskedRequest {
  const parts = /^(https?):\/\/([^/?#@]+)([^#\s]*)(?:#.*)?$/i.exec(url);
  const authority =
    parts === null ? undefined : /^(\[[^\]]+\]|[^:]+)(?::([0-9]{1,5}))?$/.exec(parts[2] ?? '');
  if (parts === null || authority === null || authority === undefined)
    throw new UsageError(`netloom why: ${JSON.stringify(url)} is no URL such as https://host/path`);
  const scheme = (parts[1] ?? '').toLowerCase() === 'https' ? ('https' as const) : ('http' as const);
  const [, host = '', port] = authority;
  const rest = parts[3] ?? '';
  return {
    scheme,
    host: host.toLowerCase().replace(/\.$/, ''),
    port: port === undefined ? (scheme === 'https' ? 443 : 80) : Number(port),
    target: rest.startsWith('/') ? rest : `/${rest}`,
    method: typeof values.method === 'string' ? values.method.toUpperCase() : 'GET',
    headers: headersOf(values.header),
  };
}

/** Of several lines of one name the values are one, as in HTTP. */
function headersOf(lines: string | boolean | undefined): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of typeof lines === 'string' ? lines.split('\n') : []) {
    const equals = line.search(/[=:]/);
    if (equals <= 0) throw new UsageError(`netloom why: --header ${JSON.stringify(line)} is not NAME=VALUE`);
    const name = line.slice(0, equals).trim().toLowerCase();
    const before = headers.get(name);
    const value = line.slice(equals + 1).trim();
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}

function codeOf(answers: readonly RequestAnswer[]): number {
  return answers.some(({ outcome }) => outcome === 'refused') ? exitCodes.failed : exitCodes.ok;
}
