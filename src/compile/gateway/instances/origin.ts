/** The object that an instance is of, by the instance's key. */
import type { Origin } from '#intent/origin.ts';
import { alb2Of, albKey } from '../../alauda/names.ts';
import { albInstance, albOf } from './derived-gateway.ts';

export type InstanceKind = 'Gateway' | 'ALB' | 'ALB2';

export type InstanceObject = Origin & {
  readonly kind: InstanceKind;
  readonly namespace: string;
};

export function instanceObject(instance: string): InstanceObject {
  const alb = albOf(instance);
  const alb2 = alb === undefined ? undefined : alb2Of(alb);
  const [namespace = '', name = ''] = (alb2 ?? alb ?? instance).split('/');
  return { kind: alb === undefined ? 'Gateway' : alb2 === undefined ? 'ALB' : 'ALB2', namespace, name };
}

/** The other way round. Undefined: no object of the kind has an instance. */
export function instanceOfObject(kind: string, namespace: string, name: string): string | undefined {
  const key = `${namespace}/${name}`;
  if (kind === 'Gateway') return key;
  if (kind === 'ALB') return albInstance(key);
  return kind === 'ALB2' ? albInstance(albKey(key)) : undefined;
}
