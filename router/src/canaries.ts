/** Whether a canary takes a request: its header is asked, then its cookie, then chance. */
import type { GatewayCanary } from '../../src/intent/gateway-policy.ts';
import { cookieValue } from './cookies.ts';
import type { RouterCanary } from './prepared.ts';
import type { RouterReader, RouterRequest } from './request.ts';

/** The first that takes it; `undefined`: none does. `dice`, 0 ≤ dice < 1, is the same for all: shares of one million don't add up to more. */
export function findCanary<R extends RouterRequest>(
  canaries: readonly RouterCanary[],
  request: R,
  reader: RouterReader<R>,
  dice: number,
): RouterCanary | undefined {
  let left = dice * 1_000_000;
  for (let at = 0; at < canaries.length; at++) {
    const canary = canaries[at]!;
    const said = saidOf(canary.intent, request, reader);
    if (said === 1) return canary;
    const share = canary.intent.share;
    if (said === 0 && share !== undefined) {
      if (left < share) return canary;
      // The next one's share begins where this one's ends.
      left -= share;
    }
  }
  return undefined;
}

/** 1: yes; -1: no, whatever its share is; 0: chance decides. */
function saidOf<R extends RouterRequest>(canary: GatewayCanary, request: R, reader: RouterReader<R>): number {
  const header = canary.header;
  if (header !== undefined) {
    const value = reader.header(request, header.name.toLowerCase());
    const decided = header.value === undefined ? decision(value) : isMeant(header, value, reader) ? 1 : 0;
    if (decided !== 0) return decided;
  }
  const cookie = canary.cookie;
  return cookie === undefined ? 0 : decision(cookieValue(reader.header(request, 'cookie'), cookie));
}

function isMeant<R extends RouterRequest>(
  header: NonNullable<GatewayCanary['header']>,
  value: string | undefined,
  reader: RouterReader<R>,
): boolean {
  if (value === undefined) return false;
  return header.regex === true ? reader.matches(value, header.value!) : value === header.value;
}

function decision(value: string | undefined): number {
  if (value === 'always') return 1;
  return value === 'never' ? -1 : 0;
}
