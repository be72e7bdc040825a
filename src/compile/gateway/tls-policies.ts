/** BackendTLSPolicies: which is in force for a port of a Service, whether it can be kept to, and what is said of those that aren't. */
import type { BackendServiceModel, BackendTLSPolicyModel } from '#model/gateway/types.ts';
import { olderFirst } from './age.ts';
import type { Asking } from './inputs.ts';
import { condition } from './listener-conditions.ts';
import { gatewayGroup } from './listener-protocols.ts';
import { findAuthority } from './named-objects.ts';
import type { BackendTLS, GatewayCondition } from './types.ts';

/** What is decided for one Service. */
export type ServiceTLS = {
  readonly byPort: ReadonlyMap<number, BackendTLS>;
  /** By policy, of its targets that mean this Service: whether one is in force, or why none is. */
  readonly verdicts: ReadonlyMap<string, 'inForce' | 'Conflicted' | 'TargetNotFound'>;
};

/** By name of a port; '' for all that no other policy names. */
type Sections = Map<string, BackendTLSPolicyModel>;

export function decideTLS(key: string, ask: Asking): ServiceTLS {
  const service = ask.get('service', key);
  const policies = [...ask.policiesOf(key)].sort(olderFirst);
  const verdicts = new Map<string, 'inForce' | 'Conflicted' | 'TargetNotFound'>();
  const sections: Sections = new Map();
  for (const policy of policies) {
    for (const section of sectionsOf(policy, key)) {
      const verdict = !isThere(service, section)
        ? 'TargetNotFound'
        : sections.has(section)
          ? 'Conflicted'
          : 'inForce';
      if (verdict === 'inForce') sections.set(section, policy);
      // One target that is in force is enough; of two that aren't the conflict says more.
      const known = verdicts.get(policy.key);
      if (verdict === 'inForce' || known === undefined || (known === 'TargetNotFound' && verdict === 'Conflicted'))
        verdicts.set(policy.key, verdict);
    }
  }
  return { byPort: byPort(service, sections, ask), verdicts };
}

/** What a policy is to each ancestor, but for its conflicts with others. */
export function judgePolicy(
  policy: BackendTLSPolicyModel,
  ask: Asking,
): {
  /** `Accepted` False. */
  readonly refused?: GatewayCondition;
  readonly resolvedRefs: GatewayCondition;
  readonly authorities?: string;
} {
  const { authorities, wellKnown, namespace } = policy;
  const resolved = condition('ResolvedRefs', 'True', 'ResolvedRefs', 'all that it names is there');
  const refuse = (reason: string, message: string) => condition('Accepted', 'False', reason, message);
  if (authorities.length === 0) {
    if (wellKnown === 'System') return { resolvedRefs: resolved };
    const message =
      wellKnown === undefined
        ? 'names neither caCertificateRefs nor wellKnownCACertificates'
        : `wellKnownCACertificates "${wellKnown}" is not known; use System`;
    return { resolvedRefs: resolved, refused: refuse('Invalid', message) };
  }
  const from = { group: gatewayGroup, kind: 'BackendTLSPolicy', namespace };
  const reasons = { kind: 'InvalidKind', object: 'InvalidCACertificateRef' };
  const found = authorities.map((reference) => findAuthority(from, reference, reasons, ask));
  const good = found.flatMap(({ value }) => (value === undefined ? [] : [value.certificates.trimEnd()]));
  const bad = found.find(({ refused }) => refused !== undefined)?.refused;
  const resolvedRefs = bad ? condition('ResolvedRefs', 'False', bad.reason, bad.message) : resolved;
  if (good.length === 0) {
    const message = 'there is nothing to judge the certificates of backends by';
    return { resolvedRefs, refused: refuse('NoValidCACertificate', message) };
  }
  return { resolvedRefs, authorities: `${good.join('\n')}\n` };
}

/** Keys of Services among a policy's targets. */
export function targetServices({ namespace, targets }: BackendTLSPolicyModel): readonly string[] {
  const keys = targets.flatMap(({ group, kind, name }) =>
    group === '' && kind === 'Service' ? [`${namespace}/${name}`] : [],
  );
  return [...new Set(keys)];
}

function sectionsOf({ namespace, targets }: BackendTLSPolicyModel, service: string): readonly string[] {
  return targets
    .filter(
      ({ group, kind, name }) => group === '' && kind === 'Service' && `${namespace}/${name}` === service,
    )
    .map(({ section }) => section ?? '');
}

function isThere(service: BackendServiceModel | undefined, section: string): boolean {
  return service !== undefined && (section === '' || service.ports.some(({ name }) => name === section));
}

function byPort(
  service: BackendServiceModel | undefined,
  sections: Sections,
  ask: Asking,
): ServiceTLS['byPort'] {
  const decided = new Map<number, BackendTLS>();
  for (const { name, port, protocol } of service?.ports ?? []) {
    const policy = sections.get(name) ?? sections.get('');
    if (policy === undefined || protocol !== 'TCP' || decided.has(port)) continue;
    const { refused, authorities } = judgePolicy(policy, ask);
    decided.set(port, {
      policy,
      usable: refused === undefined,
      ...(authorities === undefined ? {} : { authorities }),
    });
  }
  return decided;
}
