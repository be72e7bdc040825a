/** Reads names of Secrets and groups of Services as ALB's kinds write them. */
import { readEntries, readForm, readInteger, readRaw, readReference, readText } from '../gateway/fields.ts';
import { isToken } from '../gateway/headers.ts';
import type { Refuse } from '../problem.ts';
import { type Raw, shown } from '../raw.ts';
import type { Named, ServiceGroup } from './types.ts';

/** `NAMESPACE/NAME`, or NAME of the object's own namespace. In old objects `NAMESPACE_NAME`. */
export function readNamed(value: unknown, field: string, own: string, refuse: Refuse): Named | undefined {
  const text = readText(value, field, refuse);
  if (text === undefined) return undefined;
  const [first = '', second, more] = text.includes('/') ? text.split('/') : text.split('_');
  if (more !== undefined) return refuse(field, 'InvalidValue', `${shown(text)} is not NAMESPACE/NAME`);
  const raw = second === undefined ? { name: first } : { namespace: first, name: second };
  const { namespace, name } = readReference({ raw, field }, { namespace: own }, refuse);
  return name === '' ? undefined : { namespace, name };
}

const protocols = ['http', 'https', 'grpc', 'grpcs'] as const;

/** Of Frontends and Rules. `standard`: what backends speak where nothing is said. */
export function readGroup(
  spec: Raw,
  namespace: string,
  standard: ServiceGroup['protocol'],
  refuse: Refuse,
): ServiceGroup | undefined {
  const field = 'spec.serviceGroup';
  const raw = readRaw(spec['serviceGroup'], field, refuse);
  const services = readEntries(raw['services'], `${field}.services`, refuse).flatMap((entry) => {
    const named = readReference(entry, { namespace }, refuse);
    const port = readInteger(entry.raw['port'], `${entry.field}.port`, [1, 65_535], refuse);
    const weight = readInteger(entry.raw['weight'], `${entry.field}.weight`, [0, 1_000_000], refuse);
    if (port === undefined) refuse(`${entry.field}.port`, 'Required', 'names no port');
    // One that can't be told keeps its share, which gets 500.
    return [{ namespace: named.namespace, name: named.name, port: port ?? 0, weight: weight ?? 100 }];
  });
  const affinity = readAffinity(raw, field, refuse);
  const said = readText(spec['backendProtocol'], 'spec.backendProtocol', refuse)?.toLowerCase();
  const protocol = said === undefined ? standard : protocols.find((each) => each === said);
  if (protocol === undefined)
    refuse('spec.backendProtocol', 'InvalidProtocol', `${shown(said)} is not one of ${protocols.join(', ')}`);
  if (services.length === 0) return undefined;
  // What isn't known is as little to be spoken plainly as `https` is.
  return { services, ...(affinity === undefined ? {} : { affinity }), protocol: protocol ?? 'https' };
}

function readAffinity(raw: Raw, field: string, refuse: Refuse): ServiceGroup['affinity'] {
  const policy = readText(raw['session_affinity_policy'], `${field}.session_affinity_policy`, refuse);
  const at = `${field}.session_affinity_attribute`;
  const attribute = readForm(raw['session_affinity_attribute'], at, attributeName, refuse);
  switch (policy) {
    case undefined:
    case 'rr':
      return undefined;
    case 'sip-hash':
      return { by: 'client' };
    case 'cookie':
      return { by: 'cookie', name: attribute ?? 'JSESSIONID' };
    case 'header':
      return attribute === undefined || !isToken(attribute)
        ? refuse(at, 'Required', 'names no header')
        : { by: 'header', name: attribute.toLowerCase() };
    default:
      return refuse(
        `${field}.session_affinity_policy`,
        'NotSupported',
        `${shown(policy)} is not sip-hash, cookie or header`,
      );
  }
}

const attributeName = { pattern: /^[-!#$%&'*+.^_`|~A-Za-z0-9]+$/, longest: 128, what: 'a name' };
