/** What the gateway itself answers, and which answers of backends are tried again. */

/** Codes that nginx can tell apart when it tries again (`proxy_next_upstream`), by their bit in a class. */
const retried = [500, 502, 503, 504, 403, 404, 429];

/** Set in every class: who asks for retries gets them where no connection came about, too. */
const connection = 128;

/**
 * The set of codes as a number: the location with that `proxy_next_upstream` is `retryCodes` of it. Codes that nginx can't tell apart are
 * left out; 0 is never a result, it stands for no retries.
 */
export function retryClass(codes: readonly number[]): number {
  let result = connection;
  let bit = 1;
  for (let at = 0; at < retried.length; at++) {
    for (let index = 0; index < codes.length; index++) {
      if (codes[index] === retried[at]) {
        result += bit;
        break;
      }
    }
    bit *= 2;
  }
  return result;
}

/** The codes of a class. */
export function retryCodes(retries: number): number[] {
  const codes: number[] = [];
  let rest = retries % connection;
  for (let at = 0; at < retried.length; at++) {
    if (rest % 2 === 1) codes.push(retried[at]!);
    rest = Math.floor(rest / 2);
  }
  return codes;
}

/** Whether a backend's answer is tried again. */
export function isRetried(retries: number, code: number): boolean {
  if (retries === 0) return false;
  const codes = retryCodes(retries);
  for (let at = 0; at < codes.length; at++) {
    if (codes[at] === code) return true;
  }
  return false;
}

/**
 * `grpc-status` of what the gateway answers in a backend's stead, in an answer without a body (HTTP 200, trailers only): the mapping of gRPC's
 * http-grpc-status-mapping.md.
 */
export function grpcStatus(code: number): number {
  if (code === 400) return 13;
  if (code === 401) return 16;
  if (code === 403) return 7;
  if (code === 404) return 12;
  if (code === 429 || code === 502 || code === 503 || code === 504) return 14;
  return 2;
}

/** Whether a request wants its errors in gRPC's way: `application/grpc`, alone or with a suffix. */
export function isGRPC(contentType: string | undefined): boolean {
  if (contentType === undefined) return false;
  if (contentType.indexOf('application/grpc') !== 0) return false;
  const next = contentType.charCodeAt(16);
  return contentType.length === 16 || next === 43 || next === 59 || next === 32;
}
