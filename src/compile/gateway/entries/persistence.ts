/** How a client stays with the endpoint that served it first (GEP-1619). */
import type { GatewayActionIntent } from '#intent/gateway.ts';
import type { SessionPersistenceModel } from '#model/gateway/types.ts';
import { sha256 } from '#net/sha256.ts';
import type { Objection } from './filters.ts';

/** A session without a name gets one of the action's own: two rules of one host must not read each other's sessions. */
export function persistenceOf(
  wanted: SessionPersistenceModel | undefined,
  action: string,
  field: string,
): GatewayActionIntent['persistence'] | Objection {
  if (wanted === undefined) return undefined;
  const { type, lifetime, absoluteTimeout } = wanted;
  const name = wanted.name ?? `netloom-${sha256(action).slice(0, 12)}`;
  const refuse = (message: string): Objection => ({
    reason: 'UnsupportedValue',
    message: `${field}: ${message}`,
  });
  if (!token.test(name))
    return refuse(`${JSON.stringify(name)} can't be the name of a ${type.toLowerCase()}`);
  if (type === 'Header' && lifetime === 'Permanent') return refuse('cookieConfig is only for type Cookie');
  if (lifetime === 'Permanent' && absoluteTimeout === undefined)
    return refuse('a Permanent cookie needs an absoluteTimeout');
  return {
    type: type === 'Header' ? 'header' : 'cookie',
    name,
    ...(lifetime === 'Permanent' && absoluteTimeout !== undefined ? { maxAge: absoluteTimeout } : {}),
    ...(absoluteTimeout === undefined ? {} : { absolute: absoluteTimeout }),
  };
}

/** RFC 9110: what a header or a cookie may be called. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
