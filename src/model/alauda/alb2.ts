/** Reads ALB2. */
import type { KubeObject } from '#api/object.ts';
import { canonicalAddr } from '#net/addr.ts';
import { gatewayObject, readInteger, readList, readRaw, readText, readTexts } from '../gateway/fields.ts';
import type { ALBInstance, TenantsModel } from '../gateway/policy-types.ts';
import { collectProblems, type Read, type Refuse } from '../problem.ts';
import { type Raw, rawOf, shown } from '../raw.ts';
import { readNamed } from './named.ts';
import { readSettings } from './settings.ts';
import { refuseStrangers } from './strangers.ts';
import type { ALB2Model } from './types.ts';

/** Without it a cluster in which ALB still runs would have two of each load balancer. */
export const serveAnnotation = 'netloom.dev/serve';

export function readALB2(object: KubeObject): Read<ALB2Model> {
  const head = gatewayObject(object);
  const { problems, refuse } = collectProblems(head.origin);
  const spec = readRaw(object['spec'], 'spec', refuse);
  const config = readRaw(spec['config'], 'spec.config', refuse);
  const { namespace } = head;
  refuseStrangers('ALB2', spec, refuse);
  const annotations = rawOf(rawOf(object.metadata)?.['annotations']) ?? {};
  const certificate = readNamed(config['defaultSSLCert'], 'spec.config.defaultSSLCert', namespace, refuse);
  const value: ALB2Model = {
    ...head,
    isServed: annotations[serveAnnotation] === 'true',
    instance: readInstance(spec, config, refuse),
    tenants: readProjects(config['projects'], refuse),
    ingress: readIngress(config, refuse),
    ...(certificate === undefined ? {} : { certificate }),
    settings: readSettings(config, 'spec.config', object, refuse),
  };
  return { value, problems };
}

function readInstance(spec: Raw, config: Raw, refuse: Refuse): ALBInstance {
  const field = 'spec.config';
  const vip = readRaw(config['vip'], `${field}.vip`, refuse);
  const resources = readRaw(config['resources'], `${field}.resources`, refuse);
  const mode = config['networkMode'] ?? 'container';
  if (mode !== 'host' && mode !== 'container' && mode !== '')
    refuse(`${field}.networkMode`, 'NotSupported', `${shown(mode)} is not host or container`);
  const behind = vip['enableLbSvc'] === true ? 'LoadBalancer' : 'ClusterIP';
  const replicas = readInteger(config['replicas'], `${field}.replicas`, [0, 1000], refuse) ?? 3;
  const [requests, limits] = (['requests', 'limits'] as const).map((name) =>
    readQuantities(resources[name], `${field}.resources.${name}`, refuse),
  );
  const given = { ...(requests && { requests }), ...(limits && { limits }) };
  return {
    replicas,
    network: mode === 'host' ? 'HostNetwork' : behind,
    externalTrafficPolicy: 'Local',
    addresses: readAddresses(spec['address'], refuse),
    annotations: readTexts(vip['lbSvcAnnotations'], `${field}.vip.lbSvcAnnotations`, refuse),
    ...(Object.keys(given).length === 0 ? {} : { resources: given }),
    nodeSelector: readTexts(config['nodeSelector'], `${field}.nodeSelector`, refuse),
    tolerations: [],
  };
}

/** A name there is whatever a DNS server makes of it. */
function readAddresses(value: unknown, refuse: Refuse): readonly string[] {
  const texts = (readText(value, 'spec.address', refuse) ?? '').split(',').map((each) => each.trim());
  return texts.flatMap((text) => {
    if (text === '') return [];
    const address = canonicalAddr(text);
    return address ?? refuse('spec.address', 'InvalidAddress', `${shown(text)} is not an IP address`) ?? [];
  });
}

function readQuantities(
  value: unknown,
  field: string,
  refuse: Refuse,
): Readonly<Record<string, string>> | undefined {
  const raw = readRaw(value, field, refuse);
  const read = (['cpu', 'memory'] as const).flatMap((name) => {
    const given = raw[name];
    if (given === undefined || given === null || given === 0 || given === '0' || given === '') return [];
    const text = typeof given === 'number' || typeof given === 'string' ? `${given}` : '';
    return /^\d+(\.\d+)?(m|[kMGT]i?)?$/.test(text)
      ? [[name, text] as const]
      : (refuse(`${field}.${name}`, 'InvalidValue', `${shown(given)} is no quantity`) ?? []);
  });
  return read.length === 0 ? undefined : Object.fromEntries(read);
}

const everybody = 'ALL_ALL';

function readProjects(value: unknown, refuse: Refuse): TenantsModel {
  const field = 'spec.config.projects';
  const projects = readList(value, field, refuse).flatMap((each, index) => {
    if (typeof each === 'string' && each !== '') return [each];
    return refuse(`${field}[${index}]`, 'InvalidValue', `${shown(each)} is no name of a project`) ?? [];
  });
  const named = projects.filter((each) => each !== everybody);
  return { namespaces: [], projects: named, ...(projects.includes(everybody) ? { selector: {} } : {}) };
}

function readIngress(config: Raw, refuse: Refuse): ALB2Model['ingress'] {
  const isOff = config['enableIngress'] === 'false' || config['enableIngress'] === false;
  const port = (name: string, standard: number) => {
    const read = readInteger(config[name], `spec.config.${name}`, [0, 65_535], refuse) ?? standard;
    return isOff || read === 0 ? undefined : read;
  };
  const [http, https] = [port('ingressHTTPPort', 80), port('ingressHTTPSPort', 443)];
  return {
    ...(http === undefined ? {} : { http }),
    ...(https === undefined ? {} : { https }),
    redirect: config['ingressSSLRedirect'] === true,
    isDefault: config['defaultIngressClass'] === true,
  };
}
