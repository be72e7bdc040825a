/** Where an intent entry comes from: the object, and the rule in it, that a user could change. */
export type Origin = {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  /** Which part of the object, for example `spec.ports[http]`. */
  readonly rule?: string;
};

/** `Kind namespace/name rule`, the form used in nft comments, logs and traces. */
export function formatOrigin(origin: Origin): string {
  const name = origin.namespace === undefined ? origin.name : `${origin.namespace}/${origin.name}`;
  return origin.rule === undefined ? `${origin.kind} ${name}` : `${origin.kind} ${name} ${origin.rule}`;
}
