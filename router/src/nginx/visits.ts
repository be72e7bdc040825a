/**
 * What is known of a request from its first hook to its last. Kept here by the request's own number rather than in ngx.ctx, which each
 * `ngx.exec` ends and which costs a table a request: these are used again and again.
 */
import type { GatewayHeaderChange } from '../../../src/intent/gateway.ts';
import type {
  RouterAction,
  RouterBackend,
  RouterClient,
  RouterEndpoint,
  RouterListener,
  RouterWay,
} from '../main.ts';
import type { ConfigurationCopy } from './body-limit.ts';
import type { Turn } from './firewall-turns.ts';
import type { Identity } from './identity.ts';
import { letGo } from './places.ts';
import type { Serving } from './serving.ts';
import type { Shape } from './shape.ts';

export type Visit = {
  /** What names it in metrics; undefined: no rule took it. */
  action: RouterAction | undefined;
  listener: RouterListener | undefined;
  /** Of the rule that took it. */
  way: RouterWay | undefined;
  /** Where it goes; set before anything is sent on. */
  backend: RouterBackend | undefined;
  /** The first try goes there, since its session is there. */
  endpoint: RouterEndpoint | undefined;
  /** How often it was sent on. */
  tries: number;
  /** Where every other try goes, to wait. */
  pause: RouterEndpoint | undefined;
  /** How often it may be sent on after a failure, pauses counted, too. */
  moreTries: number;
  /** Seconds since the epoch when the answer must be whole; 0: never. */
  deadline: number;
  /** Milliseconds that one try may take; 0: any. */
  tryTimeout: number;
  /** Undefined: nothing of the answer is changed. */
  answer: AnswerChange | undefined;
  /** Keys of backends that get a copy. */
  mirrors: readonly string[] | undefined;
  /** Location that sends it on once the copies are made. */
  next: string | undefined;
  /** Who is asked whether it may pass. */
  judge: RouterBackend | undefined;
  /** What that says of the answer. */
  judged: readonly JudgedHeader[] | undefined;
  /** While its body is read. */
  serving: Serving | undefined;
  /** Requests that nginx makes on its behalf, by their numbers. */
  children: number[] | undefined;
  /** Who asks, once somebody wants to know. */
  client: RouterClient | undefined;
  /** Places of turnstiles (limits.ts) that it went through. */
  inside: number[] | undefined;
  /** With the firewall. */
  turn: Turn | undefined;
  /** Why it was turned away: place in `refusals`, from 1; 0: it wasn't. */
  refusal: number;
  /** Bytes that its body may have, if it doesn't say how many it has; 0: any. */
  mostBody: number;
  /** Memory that nginx finds its location's configuration in. */
  configurations: ConfigurationCopy[] | undefined;
  /** Location that it goes on by once its body is read. */
  afterSpool: string | undefined;
  /** What its policies want; undefined: nothing. */
  shape: Shape | undefined;
  /** What it is known by, made over for each request that this is used for. */
  identity: Identity | undefined;
};

export type JudgedHeader = {
  readonly name: string;
  readonly value: string;
  readonly append: boolean;
  /** Of answers that it is said in; undefined: all. */
  readonly statuses?: readonly number[] | undefined;
};

/** What is changed of an answer on its way out. */
export type AnswerChange = {
  readonly changes: readonly GatewayHeaderChange[];
  readonly judged: readonly JudgedHeader[];
  /** Said in the place of what the backend says by these names; a cookie beside its cookies. */
  readonly headers: readonly { readonly name: string; readonly value: string }[];
};

const visits: LuaTable<number, Visit> = new LuaTable();
const spare: Visit[] = [];

export function beginVisit(key: number): Visit {
  const used = spare.pop();
  const visit =
    used === undefined
      ? {
          action: undefined,
          listener: undefined,
          way: undefined,
          backend: undefined,
          endpoint: undefined,
          tries: 0,
          pause: undefined,
          moreTries: 0,
          deadline: 0,
          tryTimeout: 0,
          answer: undefined,
          mirrors: undefined,
          next: undefined,
          judge: undefined,
          judged: undefined,
          serving: undefined,
          children: undefined,
          client: undefined,
          inside: undefined,
          turn: undefined,
          refusal: 0,
          mostBody: 0,
          configurations: undefined,
          afterSpool: undefined,
          shape: undefined,
          identity: undefined,
        }
      : used;
  visits.set(key, visit);
  return visit;
}

/** Whole ones, until the answer of a request with a deadline must be there; what is less than one is none. */
export function millisecondsLeft(visit: Visit): number {
  return math.floor((visit.deadline - ngx.now()) * 1000);
}

export function visitOf(key: number): Visit | undefined {
  return visits.get(key);
}

/** Of a request that nginx makes on behalf of another one; it ends with that. */
export function beginChild(key: number, parent: Visit, backend: RouterBackend): Visit {
  const visit = beginVisit(key);
  visit.backend = backend;
  if (parent.children === undefined) parent.children = [key];
  else parent.children.push(key);
  return visit;
}

/** Of a request that is over. */
export function endVisit(key: number, visit: Visit): void {
  visits.delete(key);
  const children = visit.children;
  if (children !== undefined) {
    for (const child of children) {
      const one = visits.get(child);
      if (one !== undefined) endVisit(child, one);
    }
    visit.children = undefined;
  }
  if (visit.shape !== undefined) {
    letGo(visit.shape);
    visit.shape = undefined;
    visit.afterSpool = undefined;
  }
  visit.action = undefined;
  visit.listener = undefined;
  visit.way = undefined;
  visit.backend = undefined;
  visit.endpoint = undefined;
  visit.tries = 0;
  visit.pause = undefined;
  visit.moreTries = 0;
  visit.deadline = 0;
  visit.tryTimeout = 0;
  visit.answer = undefined;
  visit.mirrors = undefined;
  visit.next = undefined;
  visit.judge = undefined;
  visit.judged = undefined;
  visit.serving = undefined;
  visit.client = undefined;
  visit.refusal = 0;
  visit.mostBody = 0;
  spare.push(visit);
}
