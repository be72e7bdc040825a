/** `netloom gateway`: what gateways listen at, which routes they have and where those lead, and what is wrong. */
import { describeGateway } from '#compile/answers/gateways.ts';
import { instanceObject } from '#compile/gateway/instances/origin.ts';
import { unhealthyEndpoints } from './answers/gateway-health.ts';
import { gatewaySource } from './answers/gateway-source.ts';
import { exitCodes, type Invocation, UsageError } from './command.ts';
import { gatewayLines } from './gateway-table.ts';

export async function run(invocation: Invocation): Promise<number> {
  const { operands, values, out, progress } = invocation;
  const only = gatewayOf(operands);
  const { gateways, statuses } = await gatewaySource(invocation);
  const asked = gateways.filter(({ key, sharers }) => only === undefined || isMeant(key, sharers, only));
  const unhealthy = await unhealthyEndpoints(invocation, asked);
  const answers = asked
    .map(({ key, intent, ...told }) => describeGateway(key, intent, statuses, told))
    .map((each) => ({ ...each, problems: [...each.problems, ...(unhealthy.get(each.gateway) ?? [])] }));
  if (only !== undefined && answers.length === 0) {
    progress(`there is no Gateway ${only} of a class of ours, and no ALB`);
    return exitCodes.failed;
  }
  if (values.output === 'json') out(JSON.stringify({ gateways: answers }));
  else for (const line of gatewayLines(answers)) out(line);
  return only !== undefined && answers.some(({ problems }) => problems.length > 0)
    ? exitCodes.failed
    : exitCodes.ok;
}

/** By the Gateway's name, also of one that shares an ALB, or by the ALB's. */
export function isMeant(instance: string, sharers: readonly string[], name: string): boolean {
  const object = instanceObject(instance);
  return `${object.namespace}/${object.name}` === name || sharers.includes(name);
}

function gatewayOf([operand]: readonly string[]): string | undefined {
  if (operand === undefined) return undefined;
  const [first = '', second, ...more] = operand.split('/');
  const [namespace, name] = second === undefined ? ['default', first] : [first, second];
  if (name === '' || namespace === '' || more.length > 0)
    throw new UsageError('netloom gateway takes NAMESPACE/GATEWAY, or GATEWAY of namespace default');
  return `${namespace}/${name}`;
}
