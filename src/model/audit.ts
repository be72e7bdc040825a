/** Audit mode: what a policy would drop is told, and not dropped. */
import type { NamespaceModel } from './namespace.ts';
import type { PolicyModel } from './policy.ts';
import type { Refuse } from './problem.ts';
import { shown } from './raw.ts';

export const auditAnnotation = 'netloom.dev/audit';

/** What an object's own annotation says. Anything but `true` and `false` is a problem and, as without it, the policy is enforced. */
export function readAudit(value: unknown, refuse: Refuse): boolean {
  if (value === undefined || value === null) return false;
  const text = typeof value === 'string' ? value.trim() : '';
  if (text !== 'true' && text !== 'false')
    refuse(
      `metadata.annotations[${auditAnnotation}]`,
      'InvalidAnnotation',
      `${shown(value)} is neither true nor false; policy is enforced`,
    );
  return text === 'true';
}

/**
 * Whether a policy is in audit mode once its namespace has been asked, too: `netloom.dev/audit: "true"` on a Namespace holds for its
 * NetworkPolicies and its posture. A reader sees one object only, so `PolicyModel.audit` is the policy's own word; who hands policies to
 * the compiler joins the two, `{ ...policy, audit: inAudit(policy, namespace) }`, anew when either changes.
 */
export function inAudit(policy: PolicyModel, namespace: NamespaceModel | undefined): boolean {
  return policy.audit || (policy.tier === 'network' && namespace?.audit?.trim() === 'true');
}
