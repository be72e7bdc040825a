/** Reads Frontend. */
import type { KubeObject } from '#api/object.ts';
import { gatewayObject, readChoice, readPort, readRaw } from '../gateway/fields.ts';
import { collectProblems, type Read } from '../problem.ts';
import { rawOf } from '../raw.ts';
import { readGroup, readNamed } from './named.ts';
import { readSettings } from './settings.ts';
import { refuseStrangers } from './strangers.ts';
import type { FrontendModel } from './types.ts';

export const labelsOf = { alb: 'alb2.cpaas.io/name', frontend: 'alb2.cpaas.io/frontend' } as const;

const protocols = ['http', 'https', 'grpc', 'grpcs', 'tcp', 'udp'] as const;

/** Without a value: one that says no port or protocol, and one of no ALB2. */
export function readFrontend(object: KubeObject): Read<FrontendModel> {
  const head = gatewayObject(object);
  const { problems, refuse } = collectProblems(head.origin);
  const spec = readRaw(object['spec'], 'spec', refuse);
  const { namespace } = head;
  const alb = labelOf(object, labelsOf.alb);
  if (alb === undefined)
    refuse(`metadata.labels[${labelsOf.alb}]`, 'Required', "names no ALB2: the Frontend is nobody's");
  const port = readPort(spec['port'], 'spec.port', refuse);
  if (spec['port'] === undefined) refuse('spec.port', 'Required', 'says no port');
  const protocol = readChoice(spec['protocol'], 'spec.protocol', protocols, refuse);
  if (spec['protocol'] === undefined)
    refuse('spec.protocol', 'Required', `says none of ${protocols.join(', ')}`);
  if (alb === undefined || port === undefined || protocol === undefined)
    return { value: undefined, problems };
  refuseStrangers('Frontend', spec, refuse);
  const isSecure = protocol === 'https' || protocol === 'grpcs';
  const certificate = isSecure
    ? readNamed(spec['certificate_name'], 'spec.certificate_name', namespace, refuse)
    : undefined;
  const group = readGroup(spec, namespace, protocol.startsWith('grpc') ? 'grpc' : 'http', refuse);
  const value: FrontendModel = {
    ...head,
    alb,
    port,
    protocol,
    ...(certificate === undefined ? {} : { certificate }),
    ...(group === undefined ? {} : { group }),
    settings: readSettings(spec['config'], 'spec.config', object, refuse),
  };
  return { value, problems };
}

export function labelOf(object: KubeObject, name: string): string | undefined {
  const label = rawOf(rawOf(object.metadata)?.['labels'])?.[name];
  return typeof label === 'string' && label !== '' ? label : undefined;
}
