/** Session persistence: a cookie or a header leads a client back to the endpoint that it was sent to first. */
import type { GatewayActionIntent } from '../../../src/intent/gateway.ts';
import {
  type CORSHeader,
  cookieValue,
  endingToken,
  liveToken,
  type RouterBackend,
  type RouterEndpoint,
  type RouterSession,
  sessionEndpoint,
  sessionToken,
} from '../main.ts';
import { headerOf, variable } from './request.ts';
import type { Serving } from './serving.ts';

type Persistence = NonNullable<GatewayActionIntent['persistence']>;

/** Where the client's session goes on; undefined: it has none, or its endpoint is gone. */
export function sessionOf(
  { pointer, table, action }: Serving,
  persistence: Persistence,
): RouterSession | undefined {
  const text =
    persistence.type === 'header'
      ? headerOf(pointer, persistence.name.toLowerCase())
      : cookieValue(headerOf(pointer, 'cookie'), persistence.name);
  if (text === undefined) return undefined;
  const token = persistence.absolute === undefined ? text : liveToken(text, math.floor(ngx.now()));
  return token === undefined ? undefined : sessionEndpoint(table, action, token);
}

/** The header of the answer that begins one. */
export function beginSession(
  pointer: FFIPointer,
  { type, name, maxAge, absolute }: Persistence,
  backend: RouterBackend,
  endpoint: RouterEndpoint,
): CORSHeader {
  const endless = sessionToken(backend, endpoint);
  const token = absolute === undefined ? endless : endingToken(endless, math.floor(ngx.now()) + absolute);
  if (type === 'header') return { name, value: token };
  const age = maxAge === undefined ? '' : `; Max-Age=${maxAge}`;
  const secure = variable(pointer, 'netloom_scheme') === 'https' ? '; Secure' : '';
  return { name: 'Set-Cookie', value: `${name}=${token}; Path=/; HttpOnly; SameSite=Lax${secure}${age}` };
}
