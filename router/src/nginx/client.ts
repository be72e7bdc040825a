/** Who a request comes from, as far as its policy trusts who says so. */
import { findClient, type RouterClient, type RouterPolicy } from '../main.ts';
import { headerOf, setVariable, variable } from './request.ts';
import type { Serving } from './serving.ts';

/** Found once a request. Without a policy that trusts anybody it is who connects. */
export function clientOf({ pointer, table, action, visit }: Serving): RouterClient {
  const known = visit.client;
  if (known !== undefined) return known;
  const key = action.intent.policy;
  const found = clientBy(pointer, key === undefined ? undefined : table.policies[key]);
  visit.client = found;
  return found;
}

export function clientBy(pointer: FFIPointer, policy: RouterPolicy | undefined): RouterClient {
  const peer = variable(pointer, 'remote_addr');
  const trusted = policy === undefined || policy.trusted === undefined ? nobody : policy.trusted;
  // Only of the trusted it counts what they say.
  const said = trusted === nobody ? undefined : headerOf(pointer, 'x-forwarded-for');
  return findClient(peer === undefined ? '' : peer, said, trusted);
}

const nobody = { ipv4: [], ipv6: [], isBroken: false };

/** Backends are told who it is, and nothing that the client made up about the way it came. */
export function tellClient(pointer: FFIPointer, { text, forwarded }: RouterClient): void {
  setVariable(pointer, 'netloom_client', text);
  setVariable(pointer, 'netloom_forwarded', forwarded);
}
