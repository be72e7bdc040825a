/** Refusals as a client sees them: metav1.Status with code, reason, details and causes. */
import type { FieldProblem } from './types.ts';

export type StatusCause = { readonly reason?: string; readonly message?: string; readonly field?: string };

/** metav1.Status. */
export type Status = {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: object;
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: string;
  readonly details?: {
    readonly name?: string;
    readonly group?: string;
    readonly kind?: string;
    readonly uid?: string;
    readonly causes?: readonly StatusCause[];
    readonly retryAfterSeconds?: number;
  };
  readonly code: number;
};

/** What a refusal is about; `plural` and group as in the URL. */
export type Subject = { readonly group: string; readonly plural: string; readonly kind?: string };

/** Thrown anywhere below a request; the answer is its `status`. */
export class StatusError extends Error {
  readonly status: Status;

  constructor(code: number, reason: string, message: string, details?: Status['details']) {
    super(message);
    const base = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      reason,
    } as const;
    this.status = details === undefined ? { ...base, code } : { ...base, details, code };
  }
}

function qualified(subject: Subject): string {
  return subject.group === '' ? subject.plural : `${subject.plural}.${subject.group}`;
}

function detailsOf(subject: Subject, name: string): NonNullable<Status['details']> {
  return { name, ...(subject.group === '' ? {} : { group: subject.group }), kind: subject.plural };
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message);
}

export function unauthorized(message = 'Unauthorized'): StatusError {
  return new StatusError(401, 'Unauthorized', message);
}

export function notFound(subject: Subject, name: string): StatusError {
  return new StatusError(
    404,
    'NotFound',
    `${qualified(subject)} "${name}" not found`,
    detailsOf(subject, name),
  );
}

/** No such path or resource at all. */
export function pathNotFound(): StatusError {
  return new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});
}

export function methodNotAllowed(message: string): StatusError {
  return new StatusError(405, 'MethodNotAllowed', message);
}

export function alreadyExists(subject: Subject, name: string): StatusError {
  return new StatusError(
    409,
    'AlreadyExists',
    `${qualified(subject)} "${name}" already exists`,
    detailsOf(subject, name),
  );
}

export function conflict(subject: Subject, name: string, why: string): StatusError {
  return new StatusError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(subject)} "${name}": ${why}`,
    detailsOf(subject, name),
  );
}

/** The optimistic concurrency refusal that clients retry on. */
export function modified(subject: Subject, name: string): StatusError {
  return conflict(
    subject,
    name,
    'the object has been modified; please apply your changes to the latest version and try again',
  );
}

/** Another manager owns fields of a server-side apply. */
export function applyConflict(
  conflicts: readonly { readonly message: string; readonly field: string }[],
): StatusError {
  const causes = conflicts.map(({ message, field }) => ({ reason: 'FieldManagerConflict', message, field }));
  const list = causes.map((cause) => `${cause.message}: ${cause.field}`).join('\n');
  const count = causes.length === 1 ? '1 conflict: ' : `${causes.length} conflicts:\n`;
  return new StatusError(409, 'Conflict', `Apply failed with ${count}${list}`, { causes });
}

export function forbidden(
  subject: Subject,
  name: string,
  why: string,
  causes?: readonly StatusCause[],
): StatusError {
  return new StatusError(403, 'Forbidden', `${qualified(subject)} "${name}" is forbidden: ${why}`, {
    ...detailsOf(subject, name),
    ...(causes === undefined ? {} : { causes }),
  });
}

/** 422 with one cause a problem; the message lists all, as kubectl prints it. */
export function invalid(subject: Subject, name: string, problems: readonly FieldProblem[]): StatusError {
  const texts = [...new Set(problems.map((problem) => `${problem.field}: ${problem.message}`))];
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  const kind = subject.kind ?? subject.plural;
  const title = subject.group === '' ? kind : `${kind}.${subject.group}`;
  return new StatusError(422, 'Invalid', `${title} "${name}" is invalid: ${list}`, {
    ...detailsOf(subject, name),
    kind,
    causes: problems.map(({ reason, message, field }) => ({ reason, message, field })),
  });
}

export function unsupportedMediaType(message: string): StatusError {
  return new StatusError(415, 'UnsupportedMediaType', message);
}

/** The client must list again. */
export function expired(message: string): StatusError {
  return new StatusError(410, 'Expired', message);
}

export function internalError(message: string): StatusError {
  return new StatusError(500, 'InternalError', `Internal error occurred: ${message}`, {
    causes: [{ message }],
  });
}

/** A revision that this server has not reached; clients retry. */
export function revisionTooLarge(revision: number, newest: number): StatusError {
  return new StatusError(504, 'Timeout', `Too large resource version: ${revision}, current: ${newest}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}

/** Answer to a delete that is done. */
export function success(subject: Subject, name: string, uid: string | undefined): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { ...detailsOf(subject, name), ...(uid === undefined ? {} : { uid }) },
    code: 200,
  };
}
