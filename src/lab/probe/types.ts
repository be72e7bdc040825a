/** What a probe is asked and what it answers; plain JSON. */

export type Probe = {
  readonly id: string;
  readonly kind: 'http' | 'tcp' | 'udp' | 'ping' | 'dns';
  /** Address; for dns the name to look up. */
  readonly target: string;
  readonly port?: number;
  readonly timeoutMs: number;
  /** ping: bytes of payload, sent with Don't Fragment. http: bytes of request body that must come back counted. */
  readonly size?: number;
  /** How many in a row; the answers are all in `answers`. Default 1. */
  readonly count?: number;
  /** dns: record type. */
  readonly family?: 4 | 6;
};

/**
 * `refused`: an RST or ICMP error said so at once. `silent`: nothing came back in time. `failed`: anything else, see detail.
 */
export type Outcome = 'answered' | 'refused' | 'silent' | 'failed';

export type ProbeResult = {
  readonly id: string;
  readonly outcome: Outcome;
  readonly milliseconds: number;
  /** One per probe of `count`: what the echo server says of itself and of the client it saw; for dns the addresses. */
  readonly answers: readonly ProbeAnswer[];
  readonly detail?: string;
};

export type ProbeAnswer = { readonly server: string; readonly client: string };
