/** Who a request comes from and how it came, as far as its policy trusts who says so. */
import {
  findClient,
  forwardedPort,
  forwardedScheme,
  hasAddress,
  parseAddress,
  type RouterClient,
  type RouterPolicy,
} from '../main.ts';
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

/** The scheme that the client asked by: who isn't trusted has no say in it. */
export function schemeOf(pointer: FFIPointer, policy: RouterPolicy | undefined): string | undefined {
  const said = trusts(pointer, policy) ? forwardedScheme(headerOf(pointer, 'x-forwarded-proto')) : undefined;
  return said === undefined ? variable(pointer, 'scheme') : said;
}

/** Scheme and port that the client asked by, for backends and for what clients are told; without a word of a trusted proxy those of the connection. */
export function tellHow(pointer: FFIPointer, policy: RouterPolicy): void {
  if (!trusts(pointer, policy)) return;
  const scheme = forwardedScheme(headerOf(pointer, 'x-forwarded-proto'));
  const port = forwardedPort(headerOf(pointer, 'x-forwarded-port'));
  if (scheme !== undefined) setVariable(pointer, 'netloom_scheme', scheme);
  if (port !== undefined) setVariable(pointer, 'netloom_port', tostring(port));
  else if (scheme !== undefined && scheme !== variable(pointer, 'scheme'))
    setVariable(pointer, 'netloom_port', scheme === 'https' ? '443' : '80');
}

function trusts(pointer: FFIPointer, policy: RouterPolicy | undefined): boolean {
  if (policy === undefined || policy.trusted === undefined) return false;
  const peer = variable(pointer, 'remote_addr');
  const address = peer === undefined ? undefined : parseAddress(peer);
  return address !== undefined && hasAddress(policy.trusted, address);
}
