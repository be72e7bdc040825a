/** What is wrong with an object, said once and in one form. */
import type { KubeObject } from '#api/object.ts';
import type { Origin } from '#intent/origin.ts';

/** Every code there is; what each means and how grave it is stands in telemetry's catalogue. */
export const problemCodes = [
  'AddressKept',
  'AddressOutside',
  'AllocationFailed',
  'AnnotationRefused',
  'ASNConflict',
  'BlockOutside',
  'CIDRInUse',
  'DuplicateFamily',
  'DuplicateFrontend',
  'DuplicateName',
  'DuplicatePool',
  'DuplicatePort',
  'EqualPriority',
  'ExceptionOutside',
  'ExternalAddressRefused',
  'ForbiddenAddress',
  'InvalidASN',
  'InBlocks',
  'InvalidAddress',
  'InvalidAnnotation',
  'InvalidCIDR',
  'InvalidCertificate',
  'InvalidCommunity',
  'InvalidGateway',
  'InvalidHeader',
  'InvalidHostname',
  'InvalidInterface',
  'InvalidPath',
  'InvalidPattern',
  'InvalidPort',
  'InvalidPriority',
  'InvalidProtocol',
  'InvalidRange',
  'InvalidRate',
  'InvalidSelector',
  'InvalidTimeout',
  'InvalidValue',
  'LimitExceeded',
  'LimitNotHeld',
  'NeverMatches',
  'NoFreeAddress',
  'NoFreeBlock',
  'NoInternalAddress',
  'NodeReplaced',
  'NotCarried',
  'NotHeld',
  'NotServed',
  'NotSupported',
  'OutsideSubnet',
  'Overlap',
  'OverlappingKinds',
  'PasswordMissing',
  'PasswordUnusable',
  'PortNotFound',
  'PreferenceConflict',
  'ProtectionMissing',
  'Required',
  'ReferenceNotFound',
  'ReservedCIDR',
  'RouterIDConflict',
  'SelectsNobody',
  'SmallerThanBlock',
  'SubnetNotFound',
  'WithoutEffect',
  'WrongFamily',
  'WrongName',
] as const;

export type ProblemCode = (typeof problemCodes)[number];

/** Adds a problem of the object that is being read. */
export type Refuse = (field: string, code: ProblemCode, message: string) => undefined;

export type Problem = {
  readonly object: Origin;
  /** For example `spec.cidrs[0]`; '' when it is the object as a whole. */
  readonly field: string;
  /** CamelCase, as in a condition's reason. */
  readonly code: ProblemCode;
  /** One sentence for the user: what is wrong and what would be right. */
  readonly message: string;
};

/** A value read out of objects, and what was wrong with them. */
export type Read<T> = { readonly value: T | undefined; readonly problems: readonly Problem[] };

export function originOf(object: Pick<KubeObject, 'kind' | 'metadata'>): Origin {
  const { name, namespace } = object.metadata;
  return namespace === undefined ? { kind: object.kind, name } : { kind: object.kind, namespace, name };
}

/** Problems of one object, gathered as it is read. */
export function collectProblems(origin: Origin): {
  readonly problems: readonly Problem[];
  readonly refuse: Refuse;
} {
  const problems: Problem[] = [];
  const refuse: Refuse = (field, code, message) => {
    problems.push({ object: origin, field, code, message });
    return undefined;
  };
  return { problems, refuse };
}
