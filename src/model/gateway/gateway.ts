/** Reads Gateways. */
import type { KubeObject } from '#api/object.ts';
import { canonicalAddr } from '#net/addr.ts';
import { collectProblems, type Read, type Refuse } from '../problem.ts';
import { rawOf, shown } from '../raw.ts';
import { isLabelKey, isLabelValue } from '../selector.ts';
import {
  type Entry,
  gatewayObject,
  readChoice,
  readEntries,
  readPort,
  readRaw,
  readReference,
  readText,
  readTexts,
} from './fields.ts';
import { readListeners, readNamespaces } from './listeners.ts';
import type { ClientValidationModel, GatewayAddress, GatewayModel, ObjectReference } from './types.ts';

/** On a Gateway, or on what is made for it. */
const proxyProtocolAnnotation = 'netloom.dev/proxy-protocol';

/** Only one without a spec or a class has no value: what can't be used is left out, and a client certificate that is asked for stays so. */
export function readGateway(object: KubeObject): Read<GatewayModel> {
  const head = gatewayObject(object);
  const { problems, refuse } = collectProblems(head.origin);
  const spec = rawOf(object['spec']);
  if (spec === undefined)
    refuse('spec', 'Required', 'says nothing; gatewayClassName and listeners are the least');
  const className = spec && readText(spec['gatewayClassName'], 'spec.gatewayClassName', refuse);
  if (spec === undefined || className === undefined) {
    if (problems.length === 0) refuse('spec.gatewayClassName', 'Required', 'names no GatewayClass');
    return { value: undefined, problems };
  }
  const { namespace } = head;
  const defaultScope = readText(spec['defaultScope'], 'spec.defaultScope', refuse);
  const infrastructure = readInfrastructure(spec['infrastructure'], namespace, refuse);
  const allowed = readRaw(spec['allowedListeners'], 'spec.allowedListeners', refuse);
  const tls = readRaw(spec['tls'], 'spec.tls', refuse);
  const clientCertificate = readClientCertificate(tls['backend'], namespace, refuse);
  const proxyProtocol = readProxyProtocol(object, refuse, infrastructure.annotations);
  const value: GatewayModel = {
    ...head,
    className,
    ...(defaultScope === undefined ? {} : { defaultScope }),
    listeners: readListeners(spec['listeners'], 'spec.listeners', namespace, refuse),
    addresses: readEntries(spec['addresses'], 'spec.addresses', refuse).map((entry) =>
      readAddress(entry, refuse),
    ),
    ...(proxyProtocol ? { proxyProtocol } : {}),
    allowedListeners: readNamespaces(
      allowed['namespaces'],
      'spec.allowedListeners.namespaces',
      ['All', 'Same', 'Selector', 'None'],
      'None',
      refuse,
    ),
    infrastructure,
    clientValidation: readFrontend(tls['frontend'], namespace, refuse),
    ...(clientCertificate === undefined ? {} : { clientCertificate }),
  };
  return { value, problems };
}

/** Whether connections are to begin with a PROXY header: said by the object's annotations, or by `more` of them. */
export function readProxyProtocol(
  object: KubeObject,
  refuse: Refuse,
  more: Readonly<Record<string, string>> = {},
): boolean {
  const annotations = rawOf(rawOf(object.metadata)?.['annotations']) ?? {};
  const asked = [annotations, more].map((each) => asksForProxy(each[proxyProtocolAnnotation], refuse));
  return asked.includes(true);
}

function asksForProxy(value: unknown, refuse: Refuse): boolean {
  if (value !== undefined && value !== 'true' && value !== 'false')
    refuse(
      `metadata.annotations[${proxyProtocolAnnotation}]`,
      'InvalidAnnotation',
      `${shown(value)} is not true or false`,
    );
  return value === 'true';
}

/** One that can't be read asks for an address that nobody has, rather than for any. */
function readAddress({ raw, field }: Entry, refuse: Refuse): GatewayAddress {
  const type = readText(raw['type'], `${field}.type`, refuse) ?? 'IPAddress';
  const given = raw['value'];
  if (given === undefined || given === null || given === '') return { type };
  const value = readText(given, `${field}.value`, refuse) ?? shown(given);
  if (type !== 'IPAddress') return { type, value };
  const address = canonicalAddr(value);
  if (address === undefined && typeof given === 'string')
    refuse(`${field}.value`, 'InvalidAddress', `${shown(value)} is not an IP address`);
  return { type, value: address ?? value };
}

function readInfrastructure(
  value: unknown,
  namespace: string,
  refuse: Refuse,
): GatewayModel['infrastructure'] {
  const field = 'spec.infrastructure';
  const raw = readRaw(value, field, refuse);
  const labels = Object.entries(readTexts(raw['labels'], `${field}.labels`, refuse)).filter(
    ([key, text]) =>
      (isLabelKey(key) && isLabelValue(text)) ||
      refuse(`${field}.labels`, 'InvalidValue', `${shown({ [key]: text })} is no label`),
  );
  const annotations = Object.entries(readTexts(raw['annotations'], `${field}.annotations`, refuse)).filter(
    ([key]) => isLabelKey(key) || refuse(`${field}.annotations`, 'InvalidValue', `${shown(key)} names none`),
  );
  const parameters = readParameters(raw['parametersRef'], `${field}.parametersRef`, namespace, refuse);
  return {
    labels: Object.fromEntries(labels),
    annotations: Object.fromEntries(annotations),
    ...(parameters === undefined ? {} : { parameters }),
  };
}

/** What is given but can't be read is a reference to nothing: it is not as if it weren't there. */
export function readParameters(
  value: unknown,
  field: string,
  namespace: string,
  refuse: Refuse,
): ObjectReference | undefined {
  if (value === undefined || value === null) return undefined;
  return readReference({ raw: readRaw(value, field, refuse), field }, { namespace }, refuse);
}

function readClientCertificate(
  value: unknown,
  namespace: string,
  refuse: Refuse,
): ObjectReference | undefined {
  const field = 'spec.tls.backend';
  const { clientCertificateRef: reference } = readRaw(value, field, refuse);
  if (reference === undefined || reference === null) return undefined;
  const at = `${field}.clientCertificateRef`;
  const raw = readRaw(reference, at, refuse);
  return readReference({ raw, field: at }, { group: '', kind: 'Secret', namespace }, refuse);
}

function readFrontend(value: unknown, namespace: string, refuse: Refuse): GatewayModel['clientValidation'] {
  const field = 'spec.tls.frontend';
  const raw = readRaw(value, field, refuse);
  const standard = readValidation(raw['default'], `${field}.default`, namespace, refuse);
  const perPort = new Map<number, ClientValidationModel | undefined>();
  for (const { raw: each, field: at } of readEntries(raw['perPort'], `${field}.perPort`, refuse)) {
    const port = readPort(each['port'], `${at}.port`, refuse);
    const validation = readValidation(each['tls'], `${at}.tls`, namespace, refuse);
    if (port === undefined) refuse(`${at}.port`, 'Required', 'names no port');
    else if (perPort.has(port)) refuse(`${at}.port`, 'DuplicatePort', `${port} is an earlier port, too`);
    else perPort.set(port, validation);
  }
  return { ...(standard === undefined ? {} : { default: standard }), perPort };
}

/** Once certificates are asked for, what can't be read of it leaves no authority, so that none is valid. */
function readValidation(
  value: unknown,
  field: string,
  namespace: string,
  refuse: Refuse,
): ClientValidationModel | undefined {
  const { validation } = readRaw(value, field, refuse);
  if (validation === undefined || validation === null) return undefined;
  const at = `${field}.validation`;
  const raw = readRaw(validation, at, refuse);
  const mode = readChoice(raw['mode'], `${at}.mode`, ['AllowValidOnly', 'AllowInsecureFallback'], refuse);
  const authorities = readEntries(raw['caCertificateRefs'], `${at}.caCertificateRefs`, refuse).map((entry) =>
    readReference(entry, { namespace }, refuse),
  );
  if (authorities.length === 0) refuse(`${at}.caCertificateRefs`, 'Required', 'names no authority');
  return { authorities, mode: mode ?? 'AllowValidOnly' };
}
