/** What a file below `stream/` says of the connections to a slot with one name: written by engines/nginx, read by stream.ts. */
export type Slot = {
  /** Of the round robin's counter. */
  readonly name: string;
  /** `KIND/NAMESPACE/NAME` of the route, for counting; '': none. */
  readonly route: string;
  /** `pass`: to the endpoint as it is; `terminate`, `terminate13`: TLS ends in the stream part first; `https`: in the http part. */
  readonly to: 'pass' | 'terminate' | 'terminate13' | 'https';
  /** File below `backends/` ('' where it can't be resolved) and weight. */
  readonly backends: readonly (readonly [file: string, weight: number])[];
  /** Sum of the weights. */
  readonly total: number;
  /** Of a turn in the round robin; no divisor in common with `total`. */
  readonly step: number;
  /** File below `certificates/` and its names. */
  readonly certificates: readonly (readonly [file: string, names: readonly string[]])[];
};
