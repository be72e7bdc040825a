/** For tests: a custom kind with every sort of list and map, applied and updated. */
import type { KubeObject } from '#api/object.ts';
import type { Schema } from '../types.ts';
import { type ApplyRequest, applyServerSide } from './apply.ts';
import { recordUpdate } from './managed.ts';

const text = { type: 'string' } as const;
export const custom: Schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        a: text,
        b: text,
        map: { type: 'object', additionalProperties: text },
        whole: { type: 'object', additionalProperties: text, 'x-kubernetes-map-type': 'atomic' },
        set: { type: 'array', items: text, 'x-kubernetes-list-type': 'set' },
        list: { type: 'array', items: text },
        items: {
          type: 'array',
          items: { type: 'object', properties: { name: text, x: text, y: text } },
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
        },
        struct: { type: 'object', properties: { p: text, q: text } },
      },
    },
    status: { type: 'object', properties: { phase: text } },
  },
};

export const kinded = { apiVersion: 'example.com/v1', kind: 'Example' };
export const object = (spec: object): KubeObject => ({
  ...kinded,
  metadata: { name: 'o', namespace: 'd' },
  spec,
});

export function request(
  manager: string,
  spec: object,
  live?: KubeObject,
  more: Partial<ApplyRequest> = {},
): ApplyRequest {
  return {
    live,
    applied: object(spec),
    schema: custom,
    manager,
    force: false,
    apiVersion: kinded.apiVersion,
    time: '2026-01-01T00:00:00Z',
    ...more,
  };
}

export function apply(
  manager: string,
  spec: object,
  live?: KubeObject,
  more: Partial<ApplyRequest> = {},
): KubeObject {
  const result = applyServerSide(request(manager, spec, live, more));
  if ('conflicts' in result) throw new Error(JSON.stringify(result.conflicts));
  return result.value;
}

export function conflicts(manager: string, spec: object, live: KubeObject): readonly string[] {
  const result = applyServerSide(request(manager, spec, live));
  return 'conflicts' in result ? result.conflicts.map((each) => `${each.field} ${each.message}`) : [];
}

export function update(
  manager: string,
  updated: KubeObject,
  old?: KubeObject,
  more: object = {},
): KubeObject {
  return recordUpdate({
    old,
    updated,
    schema: custom,
    manager,
    apiVersion: kinded.apiVersion,
    time: '2026-01-02T00:00:00Z',
    ...more,
  });
}

export const fieldsOf = (given: KubeObject, manager: string) =>
  given.metadata.managedFields?.find((each) => each.manager === manager)?.fieldsV1;
