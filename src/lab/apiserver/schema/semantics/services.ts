/** Services. Which addresses a Service gets is the server core's. */
import { isIP } from 'node:net';
import { parsePrefix } from '#net/prefix.ts';
import type { FieldProblem } from '../../types.ts';
import { asText } from '../plain.ts';
import { child, duplicate, forbidden, indexed, invalid, required } from '../problems.ts';
import { checkUsableAddress } from './addresses.ts';
import { at, ensure, type Fields, fill, isUnset, list, number, objects, text } from './fields.ts';
import { checkLabels } from './metadata.ts';
import { isDns1123Label, isDns1123Subdomain } from './names.ts';
import { checkPort, checkPortOrName } from './ports.ts';
import type { Semantics } from './semantics.ts';

export const serviceSemantics: Semantics = {
  name: 'label1035',
  normalize(object) {
    defaultService(ensure(object as Fields, 'spec'));
    return object;
  },
  check(object, old) {
    const spec = at(object, 'spec');
    const problems = [...checkServicePorts(spec), ...checkServiceType(spec), ...checkServiceAddresses(spec)];
    problems.push(...checkLabels(spec.selector, 'spec.selector'));
    const timeout = number(at(spec, 'sessionAffinityConfig', 'clientIP').timeoutSeconds);
    if (timeout !== undefined && (timeout < 1 || timeout > 86_400)) {
      problems.push(
        invalid(
          'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
          timeout,
          'must be greater than 0 and less than 86400',
        ),
      );
    }
    if (spec.sessionAffinity === 'None' && spec.sessionAffinityConfig !== undefined) {
      problems.push(forbidden('spec.sessionAffinityConfig', 'must not be set when session affinity is None'));
    }
    const before = at(old, 'spec');
    if (
      old !== undefined &&
      before.type === 'LoadBalancer' &&
      spec.type === 'LoadBalancer' &&
      before.loadBalancerClass !== spec.loadBalancerClass
    ) {
      problems.push(
        invalid('spec.loadBalancerClass', spec.loadBalancerClass ?? null, 'may not change once set'),
      );
    }
    return problems;
  },
};

function isExternal(spec: Fields): boolean {
  return spec.type === 'NodePort' || spec.type === 'LoadBalancer' || list(spec.externalIPs).length > 0;
}

function defaultService(spec: Fields): void {
  fill(spec, { type: 'ClusterIP', sessionAffinity: 'None' });
  if (spec.sessionAffinity === 'ClientIP')
    fill(ensure(ensure(spec, 'sessionAffinityConfig'), 'clientIP'), { timeoutSeconds: 10_800 });
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  for (const [, port] of objects(spec.ports)) {
    fill(port, { protocol: 'TCP' });
    if (isUnset(port.targetPort) || port.targetPort === 0) port.targetPort = port.port;
  }
  if (spec.type !== 'ExternalName') fill(spec, { internalTrafficPolicy: 'Cluster' });
  if (isExternal(spec)) fill(spec, { externalTrafficPolicy: 'Cluster' });
  if (spec.type === 'LoadBalancer') fill(spec, { allocateLoadBalancerNodePorts: true });
}

function checkServicePorts(spec: Fields): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const ports = objects(spec.ports);
  const headless = spec.clusterIP === 'None' || list(spec.clusterIPs)[0] === 'None';
  if (ports.length === 0 && !headless && spec.type !== 'ExternalName') problems.push(required('spec.ports'));
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  for (const [i, port] of ports) {
    const path = indexed('spec.ports', i);
    const name = text(port.name);
    if (name === '' && ports.length > 1) problems.push(required(child(path, 'name')));
    else if (name !== '' && !isDns1123Label(name))
      problems.push(
        invalid(
          child(path, 'name'),
          name,
          "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
        ),
      );
    else if (names.has(name) && name !== '') problems.push(duplicate(child(path, 'name'), name));
    names.add(name);
    problems.push(
      ...checkPort(port.port, child(path, 'port')),
      ...checkPortOrName(port.targetPort, child(path, 'targetPort')),
    );
    const key = `${asText(port.protocol)}/${asText(port.port)}`;
    if (numbers.has(key)) problems.push(duplicate(path, { port: port.port, protocol: port.protocol }));
    numbers.add(key);
    const nodePort = number(port.nodePort) ?? 0;
    if (nodePort === 0) continue;
    if (spec.type !== 'NodePort' && spec.type !== 'LoadBalancer') {
      problems.push(forbidden(child(path, 'nodePort'), "may not be used when `type` is 'ClusterIP'"));
    } else problems.push(...checkPort(nodePort, child(path, 'nodePort')));
    const nodeKey = `${asText(port.protocol)}/${nodePort}`;
    if (nodePorts.has(nodeKey)) problems.push(duplicate(child(path, 'nodePort'), nodePort));
    nodePorts.add(nodeKey);
  }
  return problems;
}

function checkServiceType(spec: Fields): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const only = (field: string, when: boolean, where: string) => {
    if (!isUnset(spec[field]) && !when)
      problems.push(forbidden(`spec.${field}`, `may only be used when \`type\` is ${where}`));
  };
  only('loadBalancerClass', spec.type === 'LoadBalancer', "'LoadBalancer'");
  only('allocateLoadBalancerNodePorts', spec.type === 'LoadBalancer', "'LoadBalancer'");
  if (!isUnset(spec.externalTrafficPolicy) && !isExternal(spec)) {
    problems.push(
      invalid(
        'spec.externalTrafficPolicy',
        spec.externalTrafficPolicy,
        'may only be set for externally-accessible services',
      ),
    );
  }
  const checked = number(spec.healthCheckNodePort) ?? 0;
  if (checked !== 0 && !(spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local')) {
    problems.push(
      invalid(
        'spec.healthCheckNodePort',
        checked,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    );
  }
  if (spec.type === 'ExternalName') {
    const name = text(spec.externalName).replace(/\.$/, '');
    if (name === '') problems.push(required('spec.externalName'));
    else if (!isDns1123Subdomain(name))
      problems.push(
        invalid(
          'spec.externalName',
          name,
          "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'",
        ),
      );
  }
  if ((spec.type === 'NodePort' || spec.type === 'LoadBalancer') && spec.clusterIP === 'None') {
    problems.push(
      invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`),
    );
  }
  return problems;
}

function checkServiceAddresses(spec: Fields): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  for (const [i, address] of list(spec.externalIPs).entries())
    problems.push(...checkUsableAddress(text(address), indexed('spec.externalIPs', i)));
  for (const [i, range] of list(spec.loadBalancerSourceRanges).entries()) {
    if (parsePrefix(text(range).trim()) === undefined) {
      problems.push(
        invalid(
          indexed('spec.loadBalancerSourceRanges', i),
          range,
          'must be a valid CIDR, for example 10.9.8.0/24',
        ),
      );
    }
  }
  const address = text(spec.loadBalancerIP);
  if (address !== '' && isIP(address) === 0)
    problems.push(invalid('spec.loadBalancerIP', address, 'must be a valid IP address'));
  return problems;
}
