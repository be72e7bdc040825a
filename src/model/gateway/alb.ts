/** Reads ALBs. */
import type { KubeObject } from '#api/object.ts';
import { canonicalAddr } from '#net/addr.ts';
import { collectProblems, type Read, type Refuse } from '../problem.ts';
import { readQuantity } from '../quantity.ts';
import { shown } from '../raw.ts';
import { isLabelKey, isLabelValue } from '../selector.ts';
import {
  forms,
  gatewayObject,
  readChoice,
  readForm,
  readInteger,
  readList,
  readPort,
  readRaw,
  readText,
  readTexts,
} from './fields.ts';
import { readProxyProtocol } from './gateway.ts';
import type { ALBInstance, ALBModel } from './policy-types.ts';
import { readTenants } from './tenants.ts';
import { readTolerations } from './tolerations.ts';

/** Always has a value: what can't be read lets nobody in whom it would keep out. */
export function readALB(object: KubeObject): Read<ALBModel> {
  const head = gatewayObject(object);
  const { problems, refuse } = collectProblems(head.origin);
  const spec = readRaw(object['spec'], 'spec', refuse);
  const tenants = readTenants(spec['tenants'], 'spec.tenants', refuse);
  const hostnames = spec['hostnames'] ?? 'FirstHolder';
  const value: ALBModel = {
    ...head,
    instance: readInstance(spec, refuse),
    ...(readProxyProtocol(object, refuse) ? { proxyProtocol: true } : {}),
    ...readListenerPorts(spec, refuse),
    ...readIngressClass(spec['ingressClass'], refuse),
    ...(tenants === undefined ? {} : { tenants }),
    hostnames:
      readChoice(hostnames, 'spec.hostnames', ['FirstHolder', 'GrantOnly', 'Shared'], refuse) ?? 'GrantOnly',
    quotas: readQuotas(spec['quotas'], refuse),
  };
  const unusable = problems.map(({ field, message }) => `${field}: ${message}`);
  return { value: unusable.length === 0 ? value : { ...value, unusable }, problems };
}

type Spec = Readonly<Record<string, unknown>>;

function readListenerPorts(spec: Spec, refuse: Refuse): Pick<ALBModel, 'http' | 'https'> {
  const read = (name: 'http' | 'https', usual: number) => {
    const raw = readRaw(spec[name], `spec.${name}`, refuse);
    const given = raw['port'] ?? usual;
    return { raw, port: readInteger(given, `spec.${name}.port`, [0, 65_535], refuse) ?? 0 };
  };
  const http = read('http', 80);
  const https = read('https', 443);
  const certificate = readForm(https.raw['certificate'], 'spec.https.certificate', forms.section, refuse);
  return {
    ...(http.port === 0 ? {} : { http: { port: http.port } }),
    ...(https.port === 0
      ? {}
      : { https: { port: https.port, ...(certificate === undefined ? {} : { certificate }) } }),
  };
}

function readIngressClass(value: unknown, refuse: Refuse): Pick<ALBModel, 'ingressClass'> {
  const raw = readRaw(value, 'spec.ingressClass', refuse);
  const name = readForm(raw['name'], 'spec.ingressClass.name', forms.section, refuse);
  return name === undefined ? {} : { ingressClass: { name, isDefault: raw['default'] === true } };
}

function readInstance(spec: Spec, refuse: Refuse): ALBInstance {
  const field = 'spec.network';
  const network = readRaw(spec['network'], field, refuse);
  const modes = ['LoadBalancer', 'NodePort', 'ClusterIP', 'HostNetwork'] as const;
  const mode = readChoice(network['mode'] ?? 'LoadBalancer', `${field}.mode`, modes, refuse);
  const policy = readChoice(
    network['externalTrafficPolicy'],
    `${field}.externalTrafficPolicy`,
    ['Local', 'Cluster'],
    refuse,
  );
  const replicas = readInteger(spec['replicas'], 'spec.replicas', [1, 100], refuse);
  const loadBalancerClass = readText(network['loadBalancerClass'], `${field}.loadBalancerClass`, refuse);
  const hostPorts = readList(network['hostPorts'], `${field}.hostPorts`, refuse).flatMap(
    (each, index) => readPort(each, `${field}.hostPorts[${index}]`, refuse) ?? [],
  );
  const resources = readResources(spec['resources'], refuse);
  return {
    ...(replicas === undefined ? {} : { replicas }),
    network: mode ?? 'ClusterIP',
    externalTrafficPolicy: policy ?? 'Local',
    ...(hostPorts.length === 0 ? {} : { hostPorts }),
    ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
    addresses: readAddresses(network['addresses'], `${field}.addresses`, refuse),
    annotations: readKeyed(network['annotations'], `${field}.annotations`, refuse),
    ...(resources === undefined ? {} : { resources }),
    nodeSelector: readLabels(spec['nodeSelector'], 'spec.nodeSelector', refuse),
    tolerations: readTolerations(spec['tolerations'], 'spec.tolerations', refuse),
  };
}

function readAddresses(value: unknown, field: string, refuse: Refuse): readonly string[] {
  return readList(value, field, refuse).flatMap((each, index) => {
    const address = typeof each === 'string' ? canonicalAddr(each) : undefined;
    return (
      address ?? refuse(`${field}[${index}]`, 'InvalidAddress', `${shown(each)} is not an IP address`) ?? []
    );
  });
}

/** Texts by names as labels and annotations have them. */
function readKeyed(value: unknown, field: string, refuse: Refuse): Readonly<Record<string, string>> {
  const entries = Object.entries(readTexts(value, field, refuse)).filter(
    ([key]) =>
      isLabelKey(key) || refuse(field, 'InvalidValue', `${shown(key)} is no name of a label or annotation`),
  );
  return Object.fromEntries(entries);
}

function readLabels(value: unknown, field: string, refuse: Refuse): Readonly<Record<string, string>> {
  const entries = Object.entries(readKeyed(value, field, refuse)).filter(
    ([key, text]) =>
      isLabelValue(text) ||
      refuse(`${field}[${key}]`, 'InvalidValue', `${shown(text)} is no value of a label`) !== undefined,
  );
  return Object.fromEntries(entries);
}

function readResources(value: unknown, refuse: Refuse): ALBInstance['resources'] {
  if (value === undefined || value === null) return undefined;
  const raw = readRaw(value, 'spec.resources', refuse);
  const read = (name: 'requests' | 'limits') => {
    const field = `spec.resources.${name}`;
    const quantities = Object.entries(readRaw(raw[name], field, refuse)).flatMap(([resource, given]) => {
      // A number is as good as its text: `cpu: 1`.
      const text = typeof given === 'number' ? String(given) : given;
      if (typeof text === 'string' && (readQuantity(text) ?? -1n) >= 0n) return [[resource, text] as const];
      return refuse(`${field}[${resource}]`, 'InvalidValue', `${shown(given)} is no quantity`) ?? [];
    });
    return quantities.length === 0 ? {} : { [name]: Object.fromEntries(quantities) };
  };
  return { ...read('requests'), ...read('limits') };
}

function readQuotas(value: unknown, refuse: Refuse): ALBModel['quotas'] {
  const raw = readRaw(value, 'spec.quotas', refuse);
  const number = <Name extends 'routes' | 'requestsPerSecond' | 'concurrency'>(name: Name) => {
    const read = readInteger(raw[name], `spec.quotas.${name}`, [1, 1_000_000_000], refuse);
    return (read === undefined ? {} : { [name]: read }) as { readonly [N in Name]?: number };
  };
  const size = readSize(raw['size'], refuse);
  return {
    ...number('routes'),
    ...number('requestsPerSecond'),
    ...number('concurrency'),
    ...(size === undefined ? {} : { size }),
  };
}

function readSize(value: unknown, refuse: Refuse): number | undefined {
  if (value === undefined || value === null) return undefined;
  const text = typeof value === 'number' ? String(value) : value;
  const size = typeof text === 'string' ? readQuantity(text) : undefined;
  if (size !== undefined && size > 0n && size <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(size);
  return refuse('spec.quotas.size', 'InvalidValue', `${shown(value)} is no quantity of bytes`);
}
