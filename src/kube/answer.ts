/** How an HTTP answer is read: body, refusal, warnings, and whether to ask again; pure. */
import { backoffDelay } from './backoff.ts';
import { ApiError, ConnectionError, type Status } from './errors.ts';

/** JSON as its value, anything else as text, nothing as undefined. */
export function parseBody(text: string, contentType: string | undefined): unknown {
  if (text === '') return undefined;
  return contentType?.includes('json') === true ? JSON.parse(text) : text;
}

/** The error for an answer that isn't 2xx; proxies in between answer with HTML, which is cut short into the message. */
export function refusal(code: number, text: string, retryAfter: string | undefined): ApiError {
  const seconds = Number(retryAfter);
  const wait = retryAfter !== undefined && Number.isFinite(seconds) ? { retryAfterSeconds: seconds } : {};
  const status = parseStatus(text) ?? {
    message: `the server answered ${code}: ${text.slice(0, 200).trim()}`,
  };
  return new ApiError(code, { ...status, details: { ...wait, ...status.details } });
}

/** The Status in an error body, if it is one. */
export function parseStatus(text: string): Status | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isStatus(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isStatus(value: unknown): value is Status {
  return typeof value === 'object' && value !== null && (value as Status).kind === 'Status';
}

/**
 * Milliseconds to wait before the same request may be sent again; undefined: it must not be.
 * A request that can't have been seen by the server, and one it put off (429, or 503 with Retry-After), may always be;
 * one whose answer was lost only if it is repeatable.
 */
export function retryDelay(error: unknown, repeatable: boolean, failures: number): number | undefined {
  const delay = backoffDelay(failures);
  if (error instanceof ConnectionError) return repeatable || !error.sent ? delay : undefined;
  if (!(error instanceof ApiError)) return undefined;
  const seconds = error.details.retryAfterSeconds;
  if (error.code === 429 || (error.code === 503 && seconds !== undefined)) {
    return Math.max(delay, Math.min(seconds ?? 1, 30) * 1000);
  }
  return repeatable && error.code >= 502 && error.code <= 504 ? delay : undefined;
}

/** Texts of a Warning header (RFC 7234 §5.5: `299 - "text"`, several joined by commas). */
export function warningTexts(header: string): readonly string[] {
  return [...header.matchAll(/\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)].map((match) =>
    (match[1] ?? '').replaceAll(/\\(.)/g, '$1'),
  );
}
