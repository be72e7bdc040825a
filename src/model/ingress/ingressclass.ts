/** Reads IngressClasses. */
import type { KubeObject } from '#api/object.ts';
import { gatewayObject, readRaw, readText } from '../gateway/fields.ts';
import { collectProblems, type Read } from '../problem.ts';
import { rawOf } from '../raw.ts';
import { type IngressClassModel, ingressController } from './types.ts';

export function readIngressClass(object: KubeObject): Read<IngressClassModel> {
  const head = gatewayObject(object);
  const { problems, refuse } = collectProblems(head.origin);
  const spec = readRaw(object['spec'], 'spec', refuse);
  const annotations = rawOf(rawOf(object.metadata)?.['annotations']);
  const controller = readText(spec['controller'], 'spec.controller', refuse) ?? '';
  const parameters = rawOf(spec['parameters']);
  const text = (name: string) => (typeof parameters?.[name] === 'string' ? parameters[name] : '');
  const isALB = text('apiGroup') === 'netloom.dev' && text('kind') === 'ALB' && text('scope') === 'Namespace';
  if (controller === ingressController && parameters !== undefined && !isALB)
    refuse(
      'spec.parameters',
      'NotSupported',
      'names no ALB: write apiGroup netloom.dev, kind ALB, scope Namespace',
    );
  return {
    value: {
      ...head,
      controller,
      isDefault: annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true',
      ...(isALB && text('namespace') !== '' && text('name') !== ''
        ? { alb: `${text('namespace')}/${text('name')}` }
        : {}),
    },
    problems,
  };
}
