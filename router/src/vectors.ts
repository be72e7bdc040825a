/**
 * The router's functions by name, answering in text: the same questions (`vectors/`, random ones in tests) are put to it in Node and in LuaJIT.
 * No question needs PCRE: a pattern here is a literal, or a literal's beginning and `.*`.
 */

import type {
  GatewayBackendIntent,
  GatewayChange,
  GatewayCORS,
  GatewayHeaderChange,
  GatewayPathChange,
  GatewayRedirect,
} from '../../src/intent/gateway.ts';
import { parseAddress } from './addresses.ts';
import { grpcStatus, isGRPC, isRetried, retryClass, retryCodes } from './answers.ts';
import { endingToken, isMirrored, liveToken } from './backends.ts';
import { type CORSHeader, corsHeaders, isPreflight, preflightHeaders } from './cors.ts';
import { findCertificate, findListener, findRule, findStream } from './match.ts';
import { hashKind } from './passwords.ts';
import { normalisePath, targetPath, targetQuery } from './paths.ts';
import { hostPort, normaliseHost, queryValue, type RouterReader, type RouterRequest } from './request.ts';
import {
  changeHeaders,
  type HeaderSink,
  type RedirectedRequest,
  redirectLocation,
  rewrittenPath,
} from './rewrite.ts';
import { routerRule } from './rules.ts';
import type { RouterTable } from './table.ts';
import { chosen, hashed, sessions, tableOf, tokens, turns } from './vectors-backends.ts';
import { directives, type FirewallQuestions, finding, known } from './vectors-firewall.ts';
import { addressesIn, clientText, countedBy, passages, waits } from './vectors-limits.ts';
import { answerShaping, type ShapingQuestions } from './vectors-shaping.ts';

export type VectorRequest = {
  /** Key in `ports`. */
  readonly port: string;
  readonly host: string;
  readonly path: string;
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly client?: string;
};

export type Questions = FirewallQuestions &
  ShapingQuestions & {
    readonly normalisePath: string;
    readonly normaliseHost: string;
    readonly target: string;
    readonly queryValue: { readonly query: string; readonly name: string };
    /** One answer a request: the rule's key, `404` without one, `no listener`. */
    readonly match: {
      readonly changes: readonly GatewayChange[];
      readonly requests: readonly VectorRequest[];
    };
    readonly stream: {
      readonly changes: readonly GatewayChange[];
      readonly asked: readonly { readonly port: string; readonly host: string }[];
    };
    readonly certificate: {
      readonly changes: readonly GatewayChange[];
      readonly asked: readonly { readonly port: string; readonly host: string }[];
    };
    /** Backends of one action, by dice. */
    readonly choose: {
      readonly changes: readonly GatewayChange[];
      readonly action: string;
      readonly dice: readonly number[];
    };
    /** Endpoints in turn, the first by dice. */
    readonly turns: { readonly backend: GatewayBackendIntent; readonly dice: number; readonly count: number };
    readonly hashed: { readonly backend: GatewayBackendIntent; readonly values: readonly string[] };
    readonly token: { readonly key: string; readonly backend: GatewayBackendIntent };
    readonly session: {
      readonly changes: readonly GatewayChange[];
      readonly action: string;
      readonly tokens: readonly string[];
    };
    /** What of a session's text is its token at a time. */
    readonly ending: { readonly token: string; readonly until: number };
    readonly live: { readonly text: string; readonly now: number };
    readonly rewrite: {
      readonly change: GatewayPathChange;
      readonly prefix: string;
      readonly path: string;
      /** What the groups of the rule's pattern matched; absent: the rule has a prefix. */
      readonly captures?: readonly string[];
    };
    /** Whether each is in the list; `-`: it is no address. */
    readonly addresses: { readonly list: readonly string[]; readonly asked: readonly string[] };
    /** Addresses: what each is counted by. */
    readonly counted: readonly string[];
    readonly client: { readonly peer: string; readonly said?: string; readonly trusted: readonly string[] };
    /** Milliseconds to wait, one answer a request; of a table with two sets. */
    readonly rates: {
      readonly asked: readonly {
        readonly at: number;
        readonly key: number;
        readonly counter?: number;
        readonly most: number;
        readonly interval: number;
      }[];
    };
    /** Places (`-1`, `-2`: none), or what is left of them; steps are `in KEY`, `out KEY`, and `gone` of worker 1. */
    readonly turnstiles: {
      readonly most: number;
      readonly steps: readonly {
        readonly step: 'in' | 'out' | 'gone';
        readonly key: number;
        readonly worker: number;
      }[];
    };
    readonly hashKind: string;
    readonly redirect: {
      readonly redirect: GatewayRedirect;
      readonly prefix: string;
      readonly request: RedirectedRequest;
    };
    readonly headers: { readonly change: GatewayHeaderChange };
    readonly cors: { readonly cors: GatewayCORS; readonly origin: string };
    readonly preflight: {
      readonly cors: GatewayCORS;
      readonly origin: string;
      readonly method?: string;
      readonly headers?: string;
    };
    readonly isPreflight: { readonly method: string; readonly origin?: string; readonly asked?: string };
    readonly retries: { readonly codes: readonly number[]; readonly code: number };
    readonly grpcStatus: number;
    readonly isGRPC: string;
    readonly mirrored: { readonly share: number; readonly dice: number };
  };

export type Question = {
  readonly [K in keyof Questions]: { readonly call: K; readonly input: Questions[K] };
}[keyof Questions];

/** Several answers stand on lines of their own; `-`: undefined. */
export function answer(question: Question): string {
  const call = question.call;
  if (call === 'normalisePath') return said(normalisePath(question.input));
  if (call === 'normaliseHost') return `${normaliseHost(question.input)} ${said(hostPort(question.input))}`;
  if (call === 'target') return `${targetPath(question.input)} ${said(targetQuery(question.input))}`;
  if (call === 'queryValue') return said(queryValue(question.input.query, question.input.name));
  if (call === 'ending') return endingToken(question.input.token, question.input.until);
  if (call === 'live') return said(liveToken(question.input.text, question.input.now));
  if (call === 'match') return matched(question.input);
  if (call === 'stream' || call === 'certificate') return found(call, question.input);
  if (call === 'choose') return chosen(question.input);
  if (call === 'turns') return turns(question.input);
  if (call === 'hashed') return hashed(question.input);
  if (call === 'token') return tokens(question.input);
  if (call === 'session') return sessions(question.input);
  if (call === 'rewrite') {
    const { change, prefix, path, captures } = question.input;
    return rewrittenPath(change, path, ruleFor(prefix, captures), path, () =>
      captures === undefined ? [] : captures,
    );
  }
  if (call === 'redirect') {
    return redirectLocation(
      question.input.redirect,
      question.input.request,
      ruleFor(question.input.prefix, undefined),
      () => [],
    );
  }
  if (call === 'addresses') return addressesIn(question.input);
  if (call === 'client') return clientText(question.input);
  if (call === 'counted') return countedBy(question.input);
  if (call === 'rates') return waits(question.input);
  if (call === 'turnstiles') return passages(question.input);
  if (call === 'hashKind') return said(hashKind(question.input));
  if (call === 'headers') return headerSteps(question.input.change);
  if (call === 'cors') return headerLines(corsHeaders(question.input.cors, question.input.origin));
  if (call === 'preflight') {
    const input = question.input;
    return headerLines(preflightHeaders(input.cors, input.origin, input.method, input.headers));
  }
  if (call === 'isPreflight') {
    return `${isPreflight(question.input.method, question.input.origin, question.input.asked)}`;
  }
  if (call === 'retries') {
    const retries = retryClass(question.input.codes);
    return `${retries} ${retryCodes(retries).join(',')} ${isRetried(retries, question.input.code)}`;
  }
  if (call === 'grpcStatus') return `${grpcStatus(question.input)}`;
  if (call === 'firewall') return directives(question.input);
  if (call === 'known') return known(question.input);
  if (call === 'finding') return finding(question.input);
  if (call === 'isGRPC') return `${isGRPC(question.input)}`;
  if (call === 'mirrored') return `${isMirrored(question.input.share, question.input.dice)}`;
  return answerShaping(question);
}

type Asked = RouterRequest & {
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly query: string;
  readonly client: string | undefined;
};

const reader: RouterReader<Asked> = {
  header: (request, name) => (request.headers === undefined ? undefined : request.headers[name]),
  query: (request, name) => queryValue(request.query, name),
  matches: (subject, pattern) => {
    const length = pattern.length - 2;
    if (length < 0 || pattern.slice(length) !== '.*') return subject === pattern;
    return subject.slice(0, length) === pattern.slice(0, length);
  },
  beginsWith: (subject, pattern) => subject.slice(0, pattern.length).toLowerCase() === pattern.toLowerCase(),
  client: (request) => (request.client === undefined ? undefined : parseAddress(request.client)),
};

function matched(input: Questions['match']): string {
  const table = tableOf(input.changes);
  const answers: string[] = [];
  for (let at = 0; at < input.requests.length; at++) answers.push(matchOne(table, input.requests[at]!));
  return answers.join('\n');
}

function matchOne(table: RouterTable, asked: VectorRequest): string {
  const host = normaliseHost(asked.host);
  const listener = findListener(table, asked.port, host);
  if (listener === undefined) return 'no listener';
  const path = normalisePath(asked.path);
  if (path === undefined) return '400';
  const query = asked.query === undefined ? '' : asked.query;
  const rule = findRule(
    listener,
    { host, path, method: asked.method, headers: asked.headers, query, client: asked.client },
    reader,
  );
  return rule === undefined ? '404' : rule.key;
}

function found(call: 'stream' | 'certificate', input: Questions['stream']): string {
  const table = tableOf(input.changes);
  const answers: string[] = [];
  for (let at = 0; at < input.asked.length; at++) {
    const asked = input.asked[at]!;
    const listener = findListener(table, asked.port, asked.host);
    if (listener === undefined) answers.push('no listener');
    else if (call === 'certificate') answers.push(said(findCertificate(table, listener, asked.host)));
    else {
      const stream = findStream(listener, asked.host);
      answers.push(stream === undefined ? '-' : stream.key);
    }
  }
  return answers.join('\n');
}

let steps: string[] = [];
const sink: HeaderSink = {
  set: (name, value) => {
    steps.push(`set ${name}: ${value}`);
  },
  add: (name, value) => {
    steps.push(`add ${name}: ${value}`);
  },
  remove: (name) => {
    steps.push(`remove ${name}`);
  },
};

function headerSteps(change: GatewayHeaderChange): string {
  steps = [];
  changeHeaders(change, sink);
  return steps.join('\n');
}

function headerLines(headers: readonly CORSHeader[]): string {
  const lines: string[] = [];
  for (let at = 0; at < headers.length; at++) lines.push(`${headers[at]!.name}: ${headers[at]!.value}`);
  return lines.join('\n');
}

function ruleFor(prefix: string, captures: readonly string[] | undefined) {
  return routerRule('r', {
    listener: '',
    host: '',
    path: { type: captures === undefined ? 'prefix' : 'regex', value: prefix },
    rank: '',
    action: '',
  });
}

function said(value: string | number | undefined): string {
  return value === undefined ? '-' : `${value}`;
}
