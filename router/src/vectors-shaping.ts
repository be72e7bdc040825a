/** Questions about canaries, how endpoints are chosen with care, pages for errors, and lines of the access log; part of vectors.ts. */
import type { GatewayBackendIntent } from '../../src/intent/gateway.ts';
import type { GatewayCanary, GatewayErrorPage } from '../../src/intent/gateway-policy.ts';
import { logLine } from './access-log.ts';
import { findCanary } from './canaries.ts';
import { hasMediaType } from './compression.ts';
import { pageOf } from './pages.ts';
import { plainSpread, prepareAction, prepareBackend, type RouterEndpoint } from './prepared.ts';
import type { RouterReader, RouterRequest } from './request.ts';
import { hashDice, hashValue, mayLeaveOut, secondsOut, spreadEndpoint } from './spread.ts';

export type ShapingQuestions = {
  /** Which canary takes each request: its first backend, `-` for none. */
  readonly canary: {
    readonly canaries: readonly GatewayCanary[];
    readonly requests: readonly {
      readonly headers: Readonly<Record<string, string>>;
      readonly dice: number;
    }[];
  };
  /** Endpoints in order of their tries at time 100: each stays busy, and those that failed are given by name. */
  readonly spread: {
    readonly backend: GatewayBackendIntent;
    /** Hashed; absent: none. */
    readonly values?: readonly string[];
    readonly count: number;
    readonly busy?: Readonly<Record<string, number>>;
    readonly out?: Readonly<Record<string, number>>;
    readonly tried?: readonly string[];
    readonly full?: readonly string[];
  };
  /** Whether an endpoint may be left out, and for how many seconds the first, second and hundredth time. */
  readonly leaveOut: {
    readonly backend: GatewayBackendIntent;
    readonly endpoint: string;
    readonly out: Readonly<Record<string, number>>;
    readonly seconds: number;
  };
  readonly hashDice: string;
  readonly page: { readonly errors: readonly GatewayErrorPage[]; readonly status: number };
  readonly mediaType: { readonly types: readonly string[]; readonly contentType: string };
  readonly logLine: {
    readonly fields: readonly string[];
    readonly values: Readonly<Record<string, string | number>>;
  };
};

export type ShapingQuestion = {
  readonly [K in keyof ShapingQuestions]: { readonly call: K; readonly input: ShapingQuestions[K] };
}[keyof ShapingQuestions];

export function answerShaping(question: ShapingQuestion): string {
  const call = question.call;
  if (call === 'canary') return canaries(question.input);
  if (call === 'spread') return spread(question.input);
  if (call === 'leaveOut') return leaveOut(question.input);
  // The first digits: what is behind them two languages may write in two ways.
  if (call === 'hashDice') return `${Math.floor(hashDice(hashValue(question.input)) * 1_000_000)}`;
  if (call === 'mediaType') return `${hasMediaType(question.input.types, question.input.contentType)}`;
  if (call === 'logLine') {
    const values = question.input.values;
    return logLine(question.input.fields, (field) => values[field]);
  }
  const page = pageOf(question.input.errors, question.input.status);
  if (page === undefined) return '-';
  return page.backend !== undefined ? page.backend : page.body!.text;
}

type Asked = RouterRequest & { readonly headers: Readonly<Record<string, string>> };

const reader: RouterReader<Asked> = {
  header: (request, name) => request.headers[name],
  query: () => undefined,
  beginsWith: () => false,
  client: () => undefined,
  matches: (subject, pattern) =>
    subject.slice(0, pattern.length - 2) === pattern.slice(0, pattern.length - 2),
};

function canaries(input: ShapingQuestions['canary']): string {
  const action = prepareAction(
    'a',
    {
      origin: { kind: 'HTTPRoute', name: 'r' },
      kind: 'http',
      backends: [],
      canaries: input.canaries,
    },
    {},
  );
  const answers: string[] = [];
  for (let at = 0; at < input.requests.length; at++) {
    const { headers, dice } = input.requests[at]!;
    const request = { host: '', path: '/', method: 'GET', headers };
    const found = findCanary(action.canaries!, request, reader, dice);
    answers.push(found === undefined ? '-' : found.backends[0]!.backend!);
  }
  return answers.join('\n');
}

function spread(input: ShapingQuestions['spread']): string {
  const backend = prepareBackend('b', input.backend);
  const tried: RouterEndpoint[] = [];
  const full: RouterEndpoint[] = [];
  for (let at = 0; at < backend.endpoints.length; at++) {
    const endpoint = backend.endpoints[at]!;
    if (input.busy?.[endpoint.name] !== undefined) endpoint.busy = input.busy[endpoint.name]!;
    if (input.out?.[endpoint.name] !== undefined) endpoint.out = input.out[endpoint.name]!;
    if (input.tried?.includes(endpoint.name) === true) tried.push(endpoint);
    if (input.full?.includes(endpoint.name) === true) full.push(endpoint);
  }
  const how = backend.spread === undefined ? plainSpread : backend.spread;
  const answers: string[] = [];
  for (let at = 0; at < input.count; at++) {
    const wanted = input.values === undefined ? -1 : hashValue(input.values[at]!);
    const endpoint = spreadEndpoint(backend, how, wanted, 0, 100, tried, full);
    answers.push(endpoint === undefined ? '-' : endpoint.name);
    if (endpoint !== undefined) endpoint.busy += 1;
  }
  return answers.join('\n');
}

function leaveOut(input: ShapingQuestions['leaveOut']): string {
  const backend = prepareBackend('b', input.backend);
  let failed = backend.endpoints[0]!;
  for (let at = 0; at < backend.endpoints.length; at++) {
    const endpoint = backend.endpoints[at]!;
    if (endpoint.name === input.endpoint) failed = endpoint;
    const out = input.out[endpoint.name];
    if (out !== undefined) endpoint.out = out;
  }
  const { seconds } = input;
  const times = `${secondsOut(seconds, 1)} ${secondsOut(seconds, 2)} ${secondsOut(seconds, 100)}`;
  return `${mayLeaveOut(backend, failed, 100)} ${times}`;
}
