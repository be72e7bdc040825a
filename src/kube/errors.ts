/** What a call to the API server can fail with, and the questions that callers ask of a failure. */

/** metav1.Status, as the server sends it. */
export type Status = {
  readonly kind?: string;
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: StatusDetails;
};

/** metav1.StatusDetails. */
export type StatusDetails = {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly retryAfterSeconds?: number;
  readonly causes?: readonly {
    readonly reason?: string;
    readonly message?: string;
    readonly field?: string;
  }[];
};

/** The server answered, and the answer was a refusal. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status code. */
  readonly code: number;
  /** metav1.StatusReason, for example `NotFound`; empty when the server gave none. */
  readonly reason: string;
  readonly details: StatusDetails;

  constructor(code: number, status: Status) {
    super(status.message ?? `the server answered ${code}`);
    this.code = code;
    this.reason = status.reason ?? '';
    this.details = status.details ?? {};
  }
}

/** No whole answer came: refused, cut, timed out. Whether the server acted is unknown unless `sent` is false. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  /** System error code such as `ECONNREFUSED`, or `ETIMEDOUT` for our own deadline. */
  readonly code: string;
  /** False: the request can't have reached the server. */
  readonly sent: boolean;

  constructor(message: string, code: string, sent: boolean, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.sent = sent;
  }
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.code === 404;
}

/** The object changed since it was read, or a server-side apply met another owner. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.code === 409 && error.reason !== 'AlreadyExists';
}

export function isAlreadyExists(error: unknown): boolean {
  return error instanceof ApiError && error.code === 409 && error.reason === 'AlreadyExists';
}

/** The resourceVersion or continue token is older than what the server keeps: list again. */
export function isGone(error: unknown): boolean {
  return error instanceof ApiError && (error.code === 410 || error.reason === 'Expired');
}

export function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && error.code === 403;
}

/** Refused by validation; `details.causes` names the fields. */
export function isInvalid(error: unknown): boolean {
  return error instanceof ApiError && error.code === 422;
}

export function isConnectionError(error: unknown): error is ConnectionError {
  return error instanceof ConnectionError;
}
