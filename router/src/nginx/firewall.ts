/** The web application firewall: whether a request may go on, by ModSecurity; and what is told of those that it takes. */
import type { GatewayFirewall } from '../../../src/intent/gateway-policy.ts';
import { type FirewallFinding, findingOf, objectOf, targetPath } from '../main.ts';
import type { Finding, Question } from '../threads/firewall.ts';
import { answer } from './answer.ts';
import { clientOf } from './client.ts';
import { endUse, ruleSetOf, useRuleSet } from './firewall-sets.ts';
import { leaveTurn, takeTurn } from './firewall-turns.ts';
import { refuse } from './guard.ts';
import { currentRequest, headerOf, requestKey, variable } from './request.ts';
import type { Serving } from './serving.ts';
import { shapeOf } from './shape.ts';
import { bodyIsRead, spoolUpTo } from './spool.ts';
import { writeLine } from './standard-output.ts';
import { visitOf } from './visits.ts';

const ffi = require('ffi') as FFI;
const json = require('cjson.safe') as { readonly encode: (this: void, value: unknown) => string };

/** Bytes of a body that is looked at; client_max_body_size of `@firewall`, and in waf/base.conf. */
const bodyLimit = 1024 * 1024;
/** Lines a second that one worker says. */
const eventLimit = 100;
/** What a pipe takes as one. */
const lineLimit = 4_000;

/**
 * Returns when the request may go on now. Else it is answered, or goes on to `@firewall`, which reads its body and calls `inspectWithBody`, and
 * `serving` is the visit's until then.
 */
export function inspect(serving: Serving, firewall: GatewayFirewall): void {
  const { pointer, action, visit } = serving;
  const length = bodyLength(pointer);
  if (length === 0 || action.intent.kind === 'grpc') {
    judge(serving, firewall, undefined);
    return;
  }
  const isKnown = length !== undefined;
  if (firewall.mode === 'detect' && (!isKnown || length > bodyLimit)) {
    // Nothing may become of a request that is only looked at, and its body could be without end.
    judge(serving, firewall, undefined);
    return;
  }
  if (isKnown && length > bodyLimit) {
    tell(serving, firewall, 413, [], 'body too large');
    refuse(serving, 'firewall', 413);
  }
  // What comes together is bounded, as everything that lies on disk.
  if (!spoolUpTo(visit, isKnown ? length : bodyLimit)) answer(pointer, 503);
  visit.serving = serving;
  ngx.exec('@firewall');
}

/** In `@firewall`: gives the request when it may go on. */
export function inspectWithBody(): Serving {
  const pointer = currentRequest();
  const serving = visitOf(requestKey(pointer))?.serving;
  const firewall = serving === undefined ? undefined : firewallOf(serving);
  if (serving === undefined || firewall === undefined) answer(pointer, 500);
  // A body that is longer than the location takes ends here, with 413.
  ngx.req.read_body();
  const text = ngx.req.get_body_data();
  const path = text === undefined ? ngx.req.get_body_file() : undefined;
  bodyIsRead(shapeOf(serving.visit), path);
  // What the location lets in may be more than the policy does, which couldn't be seen before it was there.
  const most = serving.visit.mostBody;
  if (most > 0 && sizeOf(text, path) > most) refuse(serving, 'body', 413);
  judge(serving, firewall, text !== undefined ? { text } : path !== undefined ? { path } : undefined);
  return serving;
}

export function firewallOf({ table, action }: Serving): GatewayFirewall | undefined {
  const key = action.intent.policy;
  return key === undefined ? undefined : table.policies[key]?.intent.firewall;
}

function sizeOf(text: string | undefined, path: string | undefined): number {
  if (text !== undefined) return text.length;
  const [file] = path === undefined ? [undefined] : io.open(path, 'r');
  if (file === undefined) return 0;
  const [size] = file.seek('end');
  file.close();
  return size === undefined ? 0 : size;
}

/** Bytes that the client says; `undefined`: it doesn't say. */
function bodyLength(pointer: FFIPointer): number | undefined {
  const said = headerOf(pointer, 'content-length');
  if (said !== undefined) return tonumber(said);
  if (headerOf(pointer, 'transfer-encoding') !== undefined) return undefined;
  // In HTTP/2 the end of the stream tells; what browsers send without a length has no body.
  if (variable(pointer, 'server_protocol') !== 'HTTP/2.0') return 0;
  return undefined;
}

function judge(
  serving: Serving,
  asked: GatewayFirewall,
  body: { readonly text?: string; readonly path?: string } | undefined,
): void {
  const { pointer, action, visit } = serving;
  const { namespace } = action.intent.origin;
  if (!takeTurn(visit, namespace === undefined ? '' : namespace)) {
    if (asked.mode === 'block') refuse(serving, 'firewall', 503);
    return;
  }
  // While it waited there may have come another one; those that came first must not make the former's rules again, each in turn with the latter's.
  const current = firewallOf(serving);
  const firewall = current === undefined ? asked : current;
  const found = ask(serving, firewall, body);
  leaveTurn(visit);
  if (found === undefined) {
    tell(serving, firewall, 500, [], 'its rules can not be used');
    if (firewall.mode === 'block') answer(pointer, 500);
    return;
  }
  const { status, lines, failure } = found;
  if (failure !== undefined) {
    ngx.log(ngx.ERR, 'ModSecurity: ', failure);
    if (firewall.mode === 'block') answer(pointer, 500);
    return;
  }
  if (lines.length === 0 && status === 0) return;
  const findings: FirewallFinding[] = [];
  for (const line of lines) {
    const finding = findingOf(line, marker());
    if (finding !== undefined) findings.push(finding);
  }
  tell(serving, firewall, status, findings, undefined);
  if (status !== 0 && firewall.mode === 'block') refuse(serving, 'firewall', status);
}

/** In the thread. `undefined`: there are no rules to ask by. */
function ask(
  serving: Serving,
  firewall: GatewayFirewall,
  body: { readonly text?: string; readonly path?: string } | undefined,
): Finding | undefined {
  const { pointer, table, action, method, target } = serving;
  const key = action.intent.policy!;
  const set = ruleSetOf(key, firewall, table);
  if (set === undefined) return undefined;
  const protocol = variable(pointer, 'server_protocol');
  const use = useRuleSet(key);
  const question: Question = {
    rules: set.address,
    busy: requestKey(ffi.cast('void *', use.cell)),
    client: clientOf(serving).text,
    server: marker(),
    target,
    method,
    version: protocol === undefined ? '1.1' : protocol.slice(5),
    headers: headersOfRequest(),
    text: body?.text,
    path: body?.path,
  };
  const [done, found] = ngx.run_worker_thread('firewall', 'firewall', 'inspected', question);
  endUse(use);
  if (done && typeof found === 'object') return found as Finding;
  return { status: 0, lines: [], failure: tostring(found) };
}

/** Name, value, name, value… */
function headersOfRequest(): readonly string[] {
  const [headers] = ngx.req.get_headers(0, true);
  const list: string[] = [];
  for (const [name, value] of pairs(headers)) {
    if (typeof value === 'string') list.push(name, value);
    else for (const one of value) list.push(name, one);
  }
  return list;
}

let word = '';

/** Known to this worker alone. */
function marker(): string {
  if (word === '') {
    for (let at = 0; at < 4; at++) word += string.format('%08x', math.random(0, 4_294_967_295));
  }
  return word;
}

let second = 0;
let told = 0;
let untold = 0;

/** One line of JSON on standard output, beside what nginx itself logs on the other. */
function tell(
  serving: Serving,
  firewall: GatewayFirewall,
  status: number,
  findings: readonly FirewallFinding[],
  cause: string | undefined,
): void {
  const now = ngx.time();
  if (now !== second) {
    second = now;
    told = 0;
  }
  if (told >= eventLimit) {
    untold += 1;
    return;
  }
  told += 1;
  const { pointer, action, method, host, target } = serving;
  const event = {
    time: textOf(variable(pointer, 'time_iso8601')),
    event: 'firewall',
    route: objectOf(action),
    rule: action.intent.origin.rule,
    mode: firewall.mode,
    result:
      status !== 0 && firewall.mode === 'block' ? 'blocked' : cause === undefined ? 'detected' : 'failed',
    status: status === 0 || firewall.mode === 'detect' ? undefined : status,
    cause,
    client: clientOf(serving).text,
    // Clients choose how long these are, and a line must fit.
    method: method.slice(0, 20),
    host: host.slice(0, 253),
    // Queries are full of what is nobody's business.
    path: targetPath(target).slice(0, 200),
    requestId: textOf(variable(pointer, 'netloom_request_id')).slice(0, 100),
    findings: findings.length === 0 ? undefined : findings,
    untold: untold === 0 ? undefined : untold,
  };
  let line = json.encode(event);
  if (line === undefined || line.length > lineLimit) {
    const ids: number[] = [];
    for (const { id } of findings) ids.push(id);
    line = json.encode({ ...event, findings: undefined, rules: ids });
  }
  // Whoever reads is behind, and the next line says that this one is missing.
  if (line !== undefined && writeLine(`${line}\n`)) untold = 0;
  else untold += 1;
}

function textOf(text: string | undefined): string {
  return text === undefined ? '' : text;
}
