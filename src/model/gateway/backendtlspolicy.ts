/** Reads BackendTLSPolicies. */
import type { KubeObject } from '#api/object.ts';
import { collectProblems, type Read, type Refuse } from '../problem.ts';
import {
  type Entry,
  forms,
  gatewayObject,
  readChoice,
  readEntries,
  readForm,
  readHostname,
  readRaw,
  readReference,
  readText,
  readTexts,
} from './fields.ts';
import type { BackendTLSPolicyModel } from './types.ts';

/**
 * With anything wrong in `validation` the policy is still there, so that nothing is sent in plain text, but without hostname and
 * authorities: nobody can prove to be what it asks for.
 */
export function readBackendTLSPolicy(object: KubeObject): Read<BackendTLSPolicyModel> {
  const head = gatewayObject(object);
  const { problems, refuse } = collectProblems(head.origin);
  const spec = readRaw(object['spec'], 'spec', refuse);
  const before = problems.length;
  const validation = readValidation(spec['validation'], head.namespace, refuse);
  const usable = problems.length === before;
  const targets = readEntries(spec['targetRefs'], 'spec.targetRefs', refuse).flatMap((entry) => {
    const { group, kind, name } = readReference(entry, {}, refuse);
    const { raw, field } = entry;
    const section = readForm(raw['sectionName'], `${field}.sectionName`, forms.section, refuse);
    return name === '' ? [] : [{ group, kind, name, ...(section === undefined ? {} : { section }) }];
  });
  const value: BackendTLSPolicyModel = {
    ...head,
    targets,
    ...(usable ? validation : { hostname: '', authorities: [], subjectAltNames: [] }),
    options: readTexts(spec['options'], 'spec.options', refuse),
  };
  return { value, problems };
}

type Validation = Pick<BackendTLSPolicyModel, 'hostname' | 'authorities' | 'wellKnown' | 'subjectAltNames'>;

function readValidation(value: unknown, namespace: string, refuse: Refuse): Validation {
  const field = 'spec.validation';
  const raw = readRaw(value, field, refuse);
  const hostname = readHostname(raw['hostname'], `${field}.hostname`, forms.preciseHostname, refuse);
  if (hostname === undefined) refuse(`${field}.hostname`, 'Required', 'names no host');
  const authorities = readEntries(raw['caCertificateRefs'], `${field}.caCertificateRefs`, refuse).map(
    (entry) => readReference(entry, { namespace }, refuse),
  );
  const wellKnown = readText(raw['wellKnownCACertificates'], `${field}.wellKnownCACertificates`, refuse);
  if ((authorities.length === 0) === (wellKnown === undefined))
    refuse(
      `${field}.caCertificateRefs`,
      authorities.length === 0 ? 'Required' : 'NotSupported',
      'give either caCertificateRefs or wellKnownCACertificates',
    );
  return {
    hostname: hostname ?? '',
    // Another namespace can't be named here.
    authorities: authorities.map((each) => ({ ...each, namespace })),
    ...(wellKnown === undefined ? {} : { wellKnown }),
    subjectAltNames: readEntries(raw['subjectAltNames'], `${field}.subjectAltNames`, refuse).flatMap(
      (entry) => readSubjectAltName(entry, refuse) ?? [],
    ),
  };
}

/** A URI with a scheme, in characters that no list of names in a certificate takes for a separator. */
const uri = { pattern: /^[A-Za-z][A-Za-z0-9+.-]*:[!#-+\--~]+$/, longest: 253, what: 'a URI' } as const;

function readSubjectAltName(
  { raw, field }: Entry,
  refuse: Refuse,
): BackendTLSPolicyModel['subjectAltNames'][number] | undefined {
  const type = readChoice(raw['type'], `${field}.type`, ['Hostname', 'URI'], refuse);
  const value =
    type === 'Hostname'
      ? readHostname(raw['hostname'], `${field}.hostname`, forms.hostname, refuse)
      : readForm(raw['uri'], `${field}.uri`, uri, refuse);
  if (type === undefined || value === undefined)
    return refuse(field, 'Required', 'needs a type, and the field that is called like it');
  return { type, value };
}
