/** What of a request is hashed, so that all that say the same get the same endpoint. */
import type { GatewayHash } from '../../../src/intent/gateway-policy.ts';
import { cookieValue, queryValue, targetQuery } from '../main.ts';
import { headerOf, variable } from './request.ts';

/** Undefined: the request has nothing of it, and goes where it is its turn. `path` is as it was matched. */
export function hashedText(
  pointer: FFIPointer,
  target: string,
  path: string,
  { by, name }: GatewayHash,
): string | undefined {
  const text = textOf(pointer, target, path, by, name === undefined ? '' : name);
  return text === '' ? undefined : text;
}

function textOf(
  pointer: FFIPointer,
  target: string,
  path: string,
  by: GatewayHash['by'],
  name: string,
): string | undefined {
  if (by === 'client') return variable(pointer, 'netloom_client');
  if (by === 'path') return path;
  if (by === 'header') return headerOf(pointer, name);
  if (by === 'cookie') return cookieValue(headerOf(pointer, 'cookie'), name);
  const query = targetQuery(target);
  return query === undefined ? undefined : queryValue(query, name);
}
