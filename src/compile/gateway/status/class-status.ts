/** What is said of a GatewayClass that names us. Which CRDs are installed is for the running part to say. */
import type { GatewayClassModel } from '#model/gateway/types.ts';
import { supportedFeatures } from '../features.ts';
import { isALB } from '../instances/derived-gateway.ts';
import { condition } from '../listeners/listener-conditions.ts';
import type { GatewayStatus } from '../types.ts';

export function classStatus({ key, parameters }: GatewayClassModel): GatewayStatus {
  const accepted = acceptsParameters(parameters)
    ? condition('Accepted', 'True', 'Accepted', 'Its Gateways are served')
    : condition(
        'Accepted',
        'False',
        'InvalidParameters',
        'spec.parametersRef: a class takes no parameters but an ALB that its Gateways share; use infrastructure.parametersRef of the Gateway',
      );
  return {
    kind: 'GatewayClass',
    key,
    conditions: [
      accepted,
      condition('SupportedVersion', 'True', 'SupportedVersion', 'Gateway API v1.6, experimental channel'),
    ],
    supportedFeatures,
  };
}

/** Whether there is such an ALB is said to those who share it. */
export function acceptsParameters(parameters: GatewayClassModel['parameters']): boolean {
  return parameters === undefined || isALB(parameters);
}
