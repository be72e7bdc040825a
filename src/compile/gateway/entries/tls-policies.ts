/** BackendTLSPolicies: whether one can be kept, which one is in force for a port of a Service, and what is said of it. */
import type {
  AuthorityModel,
  BackendServiceModel,
  BackendTLSPolicyModel,
  ObjectReference,
} from '#model/gateway/types.ts';
import { olderFirst } from '../age.ts';
import type { BackendTLS, GatewayCondition } from '../types.ts';

/** What policies are judged by. */
export type PolicyContext = {
  readonly service: (key: string) => BackendServiceModel | undefined;
  /** Those with a target that is the Service, in any order. */
  readonly policies: (service: string) => readonly BackendTLSPolicyModel[];
  /** By `KIND/namespace/name`. */
  readonly authority: (key: string) => AuthorityModel | undefined;
};

type Finding = { readonly reason: string; readonly message: string };

/** The policy for a Service's port; undefined: none is in force, the port is spoken to plainly. */
export function tlsOf(service: string, port: number, context: PolicyContext): BackendTLS | undefined {
  const model = context.service(service);
  if (model === undefined) return undefined;
  const names = model.ports
    .filter((each) => each.port === port && each.protocol.toUpperCase() === 'TCP')
    .map(({ name }) => name);
  const [policy] = inForce(service, names[0], context);
  if (policy === undefined) return undefined;
  const { authorities, invalid } = judge(policy, context);
  return {
    policy,
    usable: invalid === undefined && (policy.wellKnown !== undefined || authorities !== undefined),
    ...(authorities === undefined ? {} : { authorities }),
  };
}

/** `Accepted` and `ResolvedRefs`, the same for every Gateway whose routes go to a target of the policy. */
export function tlsPolicyConditions(
  policy: BackendTLSPolicyModel,
  context: PolicyContext,
): readonly GatewayCondition[] {
  const { invalid, missing } = judge(policy, context);
  const nothing = missing.length > 0 && missing.length === policy.authorities.length;
  const refused =
    conflictOf(policy, context) ??
    targetOf(policy, context) ??
    invalid ??
    (nothing ? { reason: 'NoValidCACertificate', message: textOf(missing) } : undefined);
  const [first] = missing;
  return [
    refused === undefined
      ? { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'Is in force' }
      : { type: 'Accepted', status: 'False', ...refused },
    first === undefined
      ? {
          type: 'ResolvedRefs',
          status: 'True',
          reason: 'ResolvedRefs',
          message: 'All that it refers to is there',
        }
      : { type: 'ResolvedRefs', status: 'False', reason: first.reason, message: textOf(missing) },
    ...refusedOptions(policy),
  ];
}

/** As of listeners: options that aren't known have no effect, and that is said. */
function refusedOptions({ options }: BackendTLSPolicyModel): readonly GatewayCondition[] {
  const names = Object.keys(options).sort();
  if (names.length === 0) return [];
  const message = `Without effect: ${names.map((name) => `${name} is no option that is known here`).join('; ')}`;
  return [{ type: 'netloom.dev/OptionRefused', status: 'True', reason: 'UnsupportedOption', message }];
}

/** Services as `namespace/name`, authorities as `KIND/namespace/name`: when one changes, what the policy means does. */
export function tlsPolicyReferences(policy: BackendTLSPolicyModel): {
  readonly services: readonly string[];
  readonly authorities: readonly string[];
} {
  const services = policy.targets.flatMap((target) =>
    isService(target) ? [`${policy.namespace}/${target.name}`] : [],
  );
  return {
    services: [...new Set(services)],
    authorities: [...new Set(policy.authorities.filter(isAuthority).map(keyOf))],
  };
}

/** All that apply to a port of the name, the one in force first: for the port before for the whole Service, then older before younger. */
function inForce(
  service: string,
  port: string | undefined,
  { policies }: PolicyContext,
): readonly BackendTLSPolicyModel[] {
  const of = (section: string | undefined) =>
    policies(service).filter((policy) => targets(policy, service, section));
  const own = port === undefined || port === '' ? [] : of(port);
  return (own.length > 0 ? own : of(undefined)).toSorted(olderFirst);
}

function targets(policy: BackendTLSPolicyModel, service: string, section: string | undefined): boolean {
  return policy.targets.some(
    (target) =>
      isService(target) &&
      `${policy.namespace}/${target.name}` === service &&
      (target.section ?? '') === (section ?? ''),
  );
}

/**
 * Whether its authorities are there. With some of several, connections are judged by those. Whether to take System beside authorities, or
 * nothing at all, is nobody's to guess.
 */
function judge(
  policy: BackendTLSPolicyModel,
  { authority }: PolicyContext,
): { readonly authorities?: string; readonly invalid?: Finding; readonly missing: readonly Finding[] } {
  const found: string[] = [];
  const missing: Finding[] = [];
  for (const [index, reference] of policy.authorities.entries()) {
    const field = `spec.validation.caCertificateRefs[${index}]`;
    if (!isAuthority(reference)) {
      const shown = reference.group === '' ? reference.kind : `${reference.group}/${reference.kind}`;
      const message = `${field}: ${shown} holds no authorities; use a ConfigMap`;
      missing.push({ reason: 'InvalidKind', message });
      continue;
    }
    const model = authority(keyOf(reference));
    if (model !== undefined) found.push(model.certificates);
    else {
      const message = `${field}: there is no ${reference.kind} ${reference.namespace}/${reference.name} with certificates in ca.crt`;
      missing.push({ reason: 'InvalidCACertificateRef', message });
    }
  }
  const invalid = invalidOf(policy);
  return {
    ...(found.length === 0 ? {} : { authorities: found.join('\n') }),
    ...(invalid === undefined ? {} : { invalid }),
    missing,
  };
}

function invalidOf({ hostname, wellKnown, authorities }: BackendTLSPolicyModel): Finding | undefined {
  const field = 'spec.validation';
  if (hostname === '') return { reason: 'Invalid', message: `${field}: can't be used` };
  if (wellKnown === undefined) {
    if (authorities.length > 0) return undefined;
    return {
      reason: 'Invalid',
      message: `${field}: needs caCertificateRefs or wellKnownCACertificates`,
    };
  }
  if (authorities.length > 0) {
    return {
      reason: 'Invalid',
      message: `${field}: caCertificateRefs and wellKnownCACertificates exclude each other`,
    };
  }
  if (wellKnown === 'System') return undefined;
  return {
    reason: 'Invalid',
    message: `${field}.wellKnownCACertificates: ${JSON.stringify(wellKnown)} isn't known; use System`,
  };
}

/** Only one that is in force nowhere is in conflict: of several targets each is looked at by itself. */
function conflictOf(policy: BackendTLSPolicyModel, { policies }: PolicyContext): Finding | undefined {
  const before = policy.targets.filter(isService).map((target) => {
    const service = `${policy.namespace}/${target.name}`;
    const [first] = policies(service)
      .filter((each) => targets(each, service, target.section))
      .toSorted(olderFirst);
    return { target, first };
  });
  const won = before.some(({ first }) => first === undefined || first.key === policy.key);
  const [lost] = before;
  if (lost === undefined || won) return undefined;
  const port = lost.target.section === undefined ? '' : ` port ${lost.target.section} of`;
  const message = `BackendTLSPolicy ${lost.first?.key} is in force for${port} Service ${lost.target.name}, since it comes first`;
  return { reason: 'Conflicted', message };
}

function targetOf(policy: BackendTLSPolicyModel, { service }: PolicyContext): Finding | undefined {
  const lacks = policy.targets.map((target, index) => {
    const field = `spec.targetRefs[${index}]`;
    if (!isService(target)) return `${field}: ${target.kind} can't be a target; use a Service`;
    const model = service(`${policy.namespace}/${target.name}`);
    if (model === undefined) return `${field}: there is no Service ${policy.namespace}/${target.name}`;
    const { section } = target;
    if (section === undefined || model.ports.some(({ name }) => name === section)) return undefined;
    return `${field}.sectionName: Service ${target.name} has no port "${section}"`;
  });
  if (lacks.length === 0 || lacks.includes(undefined)) return undefined;
  return { reason: 'TargetNotFound', message: lacks.join('; ') };
}

function isService({ group, kind }: { readonly group: string; readonly kind: string }): boolean {
  return group === '' && kind === 'Service';
}

/** cert-manager leaves authorities in Secrets. */
function isAuthority({ group, kind }: ObjectReference): boolean {
  return group === '' && (kind === 'ConfigMap' || kind === 'Secret');
}

function keyOf({ kind, namespace, name }: ObjectReference): string {
  return `${kind}/${namespace}/${name}`;
}

function textOf(findings: readonly Finding[]): string {
  return findings.map(({ message }) => message).join('; ');
}
