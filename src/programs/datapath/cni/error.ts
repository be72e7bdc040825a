/** CNI errors: the specification's well-known codes, and ours from 100 on. */

export const errorCode = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  ioFailure: 5,
  decodeFailure: 6,
  invalidConfig: 7,
  tryAgainLater: 11,
  /** STATUS: ADD can't be served. */
  notAvailable: 50,
  /** CHECK: the interface is not as ADD left it. */
  notAsAdded: 101,
} as const;

/** Becomes the plugin's error output. `message` is one sentence for the person who reads the pod's events. */
export class CniError extends Error {
  readonly code: number;
  readonly details: string | undefined;

  constructor(code: number, message: string, details?: string) {
    super(message);
    this.name = 'CniError';
    this.code = code;
    this.details = details;
  }
}

/** The error object of the specification. */
export function formatError(error: unknown, cniVersion: string): string {
  const known = error instanceof CniError ? error : undefined;
  const code = known?.code ?? errorCode.ioFailure;
  const msg = error instanceof Error ? error.message : String(error);
  const details = known?.details === undefined ? {} : { details: known.details };
  return `${JSON.stringify({ cniVersion, code, msg, ...details })}\n`;
}
