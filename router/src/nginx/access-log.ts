/** The access log of requests whose policy asks for it: a line to nginx's standard output each. What there is no room for is left out, and counted. */
import { type LogField, logLine, objectOf, targetPath, targetQuery } from '../main.ts';
import { headerOf, variable } from './request.ts';
import { writeLine } from './standard-output.ts';
import type { Visit } from './visits.ts';

const counts = ngx.shared['netloom_counts']!;

let current: { pointer: FFIPointer; visit: Visit; status: number; seconds: number } | undefined;

/** In log_by_lua. */
export function logRequest(pointer: FFIPointer, visit: Visit, status: number, seconds: number): void {
  const log = visit.shape?.policy?.accessLog;
  if (log === undefined) return;
  if (log.share < 1_000_000 && math.random() * 1_000_000 >= log.share) return;
  current = { pointer, visit, status, seconds };
  const line = logLine(log.fields, toldOf);
  current = undefined;
  if (!writeLine(line)) counts.incr('unlogged', 1, 0);
}

/** Lines that were left out. */
export function unloggedLines(): number {
  const [value] = counts.get('unlogged');
  return value === undefined ? 0 : (value as number);
}

const told: Record<LogField, (this: void) => string | number | undefined> = {
  time: () => {
    const now = ngx.now();
    return `${os.date('!%Y-%m-%dT%H:%M:%S', math.floor(now))}${string.format('.%03dZ', math.floor((now % 1) * 1000))}`;
  },
  requestId: () => of('netloom_request_id'),
  trace: () => of('netloom_trace'),
  client: () => of('netloom_client'),
  method: () => of('request_method'),
  scheme: () => of('netloom_scheme'),
  host: () => of('http_host'),
  path: () => {
    const target = of('request_uri');
    return target === undefined ? undefined : targetPath(target);
  },
  query: () => {
    const target = of('request_uri');
    return target === undefined ? undefined : targetQuery(target);
  },
  protocol: () => of('server_protocol'),
  status: () => current!.status,
  bytesReceived: () => tonumber(of('request_length')),
  bytesSent: () => tonumber(of('bytes_sent')),
  duration: () => rounded(current!.seconds),
  listener: () => current!.visit.listener?.key,
  route: () => {
    const action = current!.visit.action;
    return action === undefined ? undefined : objectOf(action);
  },
  rule: () => current!.visit.action?.intent.origin.rule,
  policy: () => current!.visit.action?.intent.policy,
  tenant: () => current!.visit.action?.intent.origin.namespace,
  backend: () => current!.visit.shape?.backend,
  upstream: () => {
    const said = current!.visit.shape?.upstream;
    return said === undefined ? of('upstream_addr') : said.slice(0, said.indexOf('|'));
  },
  upstreamStatus: () => {
    const said = current!.visit.shape?.upstream;
    return said === undefined ? of('upstream_status') : said.slice(said.indexOf('|') + 1);
  },
  upstreamDuration: () => of('upstream_response_time'),
  tries: () => current!.visit.tries,
  userAgent: () => headerOf(current!.pointer, 'user-agent'),
  referer: () => headerOf(current!.pointer, 'referer'),
  tlsVersion: () => of('ssl_protocol'),
  tlsServerName: () => of('ssl_server_name'),
};

function toldOf(this: void, field: string): string | number | undefined {
  const tell = told[field as LogField];
  if (tell === undefined) return undefined;
  const value = tell();
  return value === '' ? undefined : value;
}

function of(name: string): string | undefined {
  return variable(current!.pointer, name);
}

/** Milliseconds are what nginx's clock has. */
function rounded(seconds: number): number {
  return math.floor(seconds * 1000 + 0.5) / 1000;
}
