/** Reads GatewayClasses. */
import type { KubeObject } from '#api/object.ts';
import { collectProblems, type Read } from '../problem.ts';
import { gatewayObject, readRaw, readText } from './fields.ts';
import { readParameters } from './gateway.ts';
import type { GatewayClassModel } from './types.ts';

/** One that doesn't say whose it is has no value. */
export function readGatewayClass(object: KubeObject): Read<GatewayClassModel> {
  const head = gatewayObject(object);
  const { problems, refuse } = collectProblems(head.origin);
  const spec = readRaw(object['spec'], 'spec', refuse);
  const controllerName = readText(spec['controllerName'], 'spec.controllerName', refuse);
  const parameters = readParameters(spec['parametersRef'], 'spec.parametersRef', '', refuse);
  if (controllerName === undefined) {
    refuse('spec.controllerName', 'Required', 'names no controller');
    return { value: undefined, problems };
  }
  return {
    value: { ...head, controllerName, ...(parameters === undefined ? {} : { parameters }) },
    problems,
  };
}
