/** Services, Endpoints and EndpointSlices. Which addresses a Service gets is the server core's. */
import { isIP, isIPv4, isIPv6 } from 'node:net';
import { parsePrefix } from '#net/prefix.ts';
import type { FieldProblem } from '../../types.ts';
import { asText } from '../plain.ts';
import { child, duplicate, forbidden, indexed, invalid, required, tooMany } from '../problems.ts';
import { at, ensure, type Fields, fill, immutable, isUnset, list, number, objects, text } from './fields.ts';
import { checkLabels } from './metadata.ts';
import { isDns1123Label, isDns1123Subdomain, portNameProblem } from './names.ts';
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

/** An address that packets can be sent to from elsewhere. */
function checkUsableAddress(address: string, path: string): readonly FieldProblem[] {
  if (isIP(address) === 0)
    return [invalid(path, address, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')];
  const refused: readonly (readonly [RegExp, string])[] = [
    [/^(?:0\.0\.0\.0|::)$/, 'may not be unspecified'],
    [/^(?:127\.|::1$)/, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'],
    [/^(?:169\.254\.|fe[89ab])/i, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
    [/^(?:224\.0\.0\.|ff02:)/i, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'],
  ];
  const found = refused.find(([pattern]) => pattern.test(address));
  return found === undefined ? [] : [invalid(path, address, found[1])];
}

export const endpointsSemantics: Semantics = {
  check(object) {
    const problems: FieldProblem[] = [];
    for (const [i, subset] of objects(object.subsets)) {
      const path = indexed('subsets', i);
      if (list(subset.addresses).length === 0 && list(subset.notReadyAddresses).length === 0) {
        problems.push(required(path, 'must specify `addresses` or `notReadyAddresses`'));
      }
      for (const field of ['addresses', 'notReadyAddresses']) {
        for (const [j, { ip }] of objects(subset[field]))
          problems.push(...checkUsableAddress(text(ip), child(indexed(child(path, field), j), 'ip')));
      }
      problems.push(...checkEndpointPorts(objects(subset.ports), child(path, 'ports'), true));
    }
    return problems;
  },
  normalize(object) {
    for (const [, subset] of objects(object.subsets))
      for (const [, port] of objects(subset.ports)) fill(port, { protocol: 'TCP' });
    return object;
  },
};

export const endpointSliceSemantics: Semantics = {
  normalize(object) {
    for (const [, port] of objects(object.ports)) {
      fill(port, { protocol: 'TCP' });
      if (port.name === undefined) port.name = '';
    }
    return object;
  },
  check(object, old) {
    const problems: FieldProblem[] = [];
    const endpoints = objects(object.endpoints);
    if (endpoints.length > 1000) problems.push(tooMany('endpoints', endpoints.length, 1000));
    for (const [i, endpoint] of endpoints)
      problems.push(...checkEndpoint(endpoint, indexed('endpoints', i), text(object.addressType)));
    const ports = objects(object.ports);
    if (ports.length > 100) problems.push(tooMany('ports', ports.length, 100));
    problems.push(...checkEndpointPorts(ports, 'ports', false));
    return old === undefined
      ? problems
      : [...problems, ...immutable(object as Fields, old as Fields, '', 'addressType')];
  },
};

function checkEndpoint(endpoint: Fields, path: string, type: string): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const addresses = list(endpoint.addresses);
  if (addresses.length === 0)
    problems.push(required(child(path, 'addresses'), 'must contain at least 1 address'));
  if (addresses.length > 100) problems.push(tooMany(child(path, 'addresses'), addresses.length, 100));
  const seen = new Set<string>();
  for (const [i, each] of addresses.entries()) {
    const address = text(each);
    const where = indexed(child(path, 'addresses'), i);
    if (type === 'IPv4' && !isIPv4(address))
      problems.push(invalid(where, address, 'must be a valid IPv4 address'));
    else if (type === 'IPv6' && !isIPv6(address))
      problems.push(invalid(where, address, 'must be a valid IPv6 address'));
    else if (type === 'FQDN' && !isDns1123Subdomain(address.replace(/\.$/, '')))
      problems.push(invalid(where, address, 'must be a fully qualified domain name'));
    else if (type !== 'FQDN') problems.push(...checkUsableAddress(address, where));
    if (seen.has(address)) problems.push(duplicate(where, address));
    seen.add(address);
  }
  const hostname = text(endpoint.hostname);
  if (hostname !== '' && !isDns1123Label(hostname))
    problems.push(invalid(child(path, 'hostname'), hostname, 'must be a lowercase RFC 1123 label'));
  return [...problems, ...checkHints(endpoint, path)];
}

function checkHints(endpoint: Fields, path: string): readonly FieldProblem[] {
  const zones = list(at(endpoint, 'hints').forZones);
  return zones.length > 8 ? [tooMany(child(path, 'hints.forZones'), zones.length, 8)] : [];
}

function checkEndpointPorts(
  ports: readonly (readonly [number, Fields])[],
  path: string,
  needed: boolean,
): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const names = new Set<string>();
  for (const [i, port] of ports) {
    const where = indexed(path, i);
    const name = text(port.name);
    if (name === '' && needed && ports.length > 1) problems.push(required(child(where, 'name')));
    const problem = name === '' ? undefined : portNameProblem(name);
    if (problem !== undefined && !isDns1123Label(name))
      problems.push(invalid(child(where, 'name'), name, problem));
    if (names.has(name)) problems.push(duplicate(child(where, 'name'), name));
    names.add(name);
    if (needed || port.port !== undefined) problems.push(...checkPort(port.port, child(where, 'port')));
  }
  return problems;
}
