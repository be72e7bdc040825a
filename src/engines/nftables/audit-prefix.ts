/** What rules that log for policy in audit mode say of themselves: direction and class. */
import type { PolicyDirection } from './policy-chains.ts';

export type AuditPrefix = { readonly direction: PolicyDirection; readonly policyClass: number };

/** Ends in a blank: the kernel's own log writes on behind it. */
export function auditPrefix({ direction, policyClass }: AuditPrefix): string {
  return `netloom audit ${direction} class ${policyClass} `;
}

/** Undefined for any other text. */
export function readAuditPrefix(text: string): AuditPrefix | undefined {
  const match = /^netloom audit (ingress|egress) class ([1-9]\d{0,3}) ?$/.exec(text);
  if (match === null) return undefined;
  return { direction: match[1] as PolicyDirection, policyClass: Number(match[2]) };
}
