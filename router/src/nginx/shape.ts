/** What policies want of one request beside its limits: kept from its first hook to its last, for requests that need it only. */
import type { GatewayErrorPage, GatewayPolicyIntent } from '../../../src/intent/gateway-policy.ts';
import { isGRPC, type RouterEndpoint } from '../main.ts';
import { headerOf, variableLength } from './request.ts';
import type { Serving } from './serving.ts';
import type { Visit } from './visits.ts';

export type Shape = {
  readonly policy: GatewayPolicyIntent | undefined;
  /** As hashValue has it; -1: nothing is hashed. */
  wanted: number;
  /** Endpoints in the order of tries, pauses between. */
  tried: RouterEndpoint[];
  /** What became of them was looked at: those for a page count for nobody. */
  settled: boolean;
  /** Where this request counts, and the key that it is counted under for all workers. */
  busy: RouterEndpoint | undefined;
  held: string | undefined;
  /** Milliseconds until a connection counts as failed; 0: as usual. */
  connect: number;
  /** Pages; undefined: none, or answers of another kind (gRPC, WebSockets). */
  errors: readonly GatewayErrorPage[] | undefined;
  /** Status of the answer that a page takes the place of; 0: none does. */
  pageStatus: number;
  /** Stands in place of the answer's body. */
  body: string | undefined;
  /** Came by relay.sock: it is for us to say that a page must be asked for, not to ask. */
  relayed: boolean;
  /** It was said so. */
  marked: boolean;
  /** What the other end of relay.sock said of where it went. */
  upstream: string | undefined;
  /** Bytes that are counted for it on disk, and whose they are. */
  spooled: number;
  tenant: string;
  /** Key of the backend that it was for at first, for the log. */
  backend: string | undefined;
  /** There is room for the answer on disk. */
  buffered: boolean;
};

export function createShape(policy: GatewayPolicyIntent | undefined): Shape {
  return {
    policy,
    wanted: -1,
    tried: [],
    settled: false,
    busy: undefined,
    held: undefined,
    connect: 0,
    errors: undefined,
    pageStatus: 0,
    body: undefined,
    relayed: false,
    marked: false,
    upstream: undefined,
    spooled: 0,
    tenant: '',
    backend: undefined,
    buffered: false,
  };
}

/** Of a request whose action may ask for one; undefined: it asks for nothing. */
export function beginShape({ pointer, table, action, visit }: Serving): Shape | undefined {
  const intent = action.intent;
  const connect = intent.timeouts === undefined ? undefined : intent.timeouts.connect;
  if (intent.policy === undefined && intent.hash === undefined && connect === undefined) return undefined;
  const shape = createShape(intent.policy === undefined ? undefined : table.policies[intent.policy]?.intent);
  if (connect !== undefined) shape.connect = connect;
  shape.tenant = intent.origin.namespace === undefined ? '' : intent.origin.namespace;
  if (shape.policy?.errors !== undefined && isPlainHTTP(pointer)) shape.errors = shape.policy.errors;
  visit.shape = shape;
  return shape;
}

/** The shape of a request that is about to need one. */
export function shapeOf(visit: Visit): Shape {
  if (visit.shape === undefined) visit.shape = createShape(undefined);
  return visit.shape;
}

/** Neither gRPC nor what becomes a WebSocket: answers of these have no body that could be another. */
export function isPlainHTTP(pointer: FFIPointer): boolean {
  return variableLength(pointer, 'netloom_upgrade') === 0 && !isGRPC(headerOf(pointer, 'content-type'));
}
