/** Services: their families, cluster addresses and node ports, chosen on creation and kept or let go on updates. */
import type { KubeObject } from '#api/object.ts';
import { nodePortRange, type PortProtocol, type ServiceAllocator } from '../allocator.ts';
import type { Context } from '../context.ts';
import type { FieldProblem } from '../types.ts';
import { familiesOf, type ServiceSpec } from './service-families.ts';
import type { Strategy } from './strategy.ts';

type Port = {
  readonly name?: string;
  readonly protocol?: PortProtocol;
  readonly port: number;
  readonly nodePort?: number;
};

export const serviceStrategy: Strategy = {
  prepare: (object, { old }) => {
    const before = old?.['spec'] as ServiceSpec | undefined;
    const spec = object['spec'] as ServiceSpec | undefined;
    // Fields of wrong types are validation's to refuse.
    const sound = typeof spec === 'object' && spec !== null && Array.isArray(spec.ports ?? []);
    return before !== undefined && sound ? { ...object, spec: carryOver(spec, before) } : object;
  },
  complete: (object, { context, old }) => {
    const owner = `${object.metadata.namespace}/${object.metadata.name}`;
    const before = old?.['spec'] as ServiceSpec | undefined;
    const problems: FieldProblem[] = [];
    let spec = object['spec'] as ServiceSpec;
    spec = withAddresses(context.services, spec, before, owner, problems);
    spec = withNodePorts(context.services, spec, owner, problems);
    const status = object['status'] ?? { loadBalancer: {} };
    return { value: { ...object, spec, status }, problems };
  },
};

/** Keeps the allocator in step with what is stored, from the first object on. */
export function followServices({ store, services }: Pick<Context, 'store' | 'services'>): void {
  const take = (object: KubeObject): void => {
    const owner = `${object.metadata.namespace}/${object.metadata.name}`;
    const spec = (object['spec'] ?? {}) as ServiceSpec;
    for (const address of addressesOf(spec)) services.takeAddress(address, owner);
    for (const [protocol, port] of portsOf(spec)) services.takePort(protocol, port, owner);
  };
  const release = (object: KubeObject): void => {
    const spec = (object['spec'] ?? {}) as ServiceSpec;
    for (const address of addressesOf(spec)) services.releaseAddress(address);
    for (const [protocol, port] of portsOf(spec)) services.releasePort(protocol, port);
  };
  for (const { object } of store.table('/services').list()) take(object);
  store.onChange((table, { type, version, previous }) => {
    if (table !== '/services') return;
    if (previous !== undefined) release(previous.object);
    if (type !== 'DELETED') take(version.object);
  });
}

function addressesOf(spec: ServiceSpec): readonly string[] {
  return (spec.clusterIPs ?? []).filter((address) => address !== 'None' && address !== '');
}

function* portsOf(spec: ServiceSpec): Generator<readonly [PortProtocol, number]> {
  for (const { protocol = 'TCP', nodePort } of spec.ports ?? []) {
    if (nodePort) yield [protocol, nodePort];
  }
  if (spec.healthCheckNodePort) yield ['TCP', spec.healthCheckNodePort];
}

/** What a client that knows nothing of allocation leaves out of a PUT stays as it was; what its new type can't have goes. */
function carryOver(spec: ServiceSpec, before: ServiceSpec): ServiceSpec {
  const next: Record<string, unknown> = { ...spec };
  const addressed = spec.type !== 'ExternalName' && before.type !== 'ExternalName';
  if (addressed && !spec.clusterIP && !spec.clusterIPs?.length) {
    next['clusterIP'] = before.clusterIP;
    next['clusterIPs'] = before.clusterIPs;
  }
  if (usesNodePorts(spec) && usesNodePorts(before)) {
    next['ports'] = spec.ports?.map((port) => {
      const same = before.ports?.find(
        (each) => each.port === port.port && (each.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
      );
      return !port.nodePort && same?.nodePort ? { ...port, nodePort: same.nodePort } : port;
    });
  }
  if (needsHealthCheck(spec) && needsHealthCheck(before) && !spec.healthCheckNodePort) {
    next['healthCheckNodePort'] = before.healthCheckNodePort;
  }
  if (needsHealthCheck(before) && !needsHealthCheck(spec)) delete next['healthCheckNodePort'];
  if (usesNodePorts(before) && !usesNodePorts(spec)) {
    // Ports that the server gave for a type that no longer has any.
    next['ports'] = spec.ports?.map(({ nodePort, ...port }) => {
      const given = before.ports?.some((each) => each.nodePort === nodePort);
      return nodePort === undefined || given === true ? port : { ...port, nodePort };
    });
  }
  for (const field of fieldsWithoutPlace(spec)) {
    if (JSON.stringify(spec[field]) === JSON.stringify(before[field])) delete next[field];
  }
  return next as ServiceSpec;
}

/** Fields that a Service's type can't have: unchanged ones go with the old type, changed ones are validation's to refuse. */
function fieldsWithoutPlace(spec: ServiceSpec): readonly string[] {
  const external = spec.type === 'NodePort' || spec.type === 'LoadBalancer';
  return [
    ...(external || (spec['externalIPs'] as readonly string[] | undefined)?.length
      ? []
      : ['externalTrafficPolicy']),
    ...(spec.type === 'LoadBalancer' ? [] : ['allocateLoadBalancerNodePorts', 'loadBalancerClass']),
    ...(spec.type === 'ExternalName' ? ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'] : []),
  ];
}

function withAddresses(
  services: ServiceAllocator,
  spec: ServiceSpec,
  before: ServiceSpec | undefined,
  owner: string,
  problems: FieldProblem[],
): ServiceSpec {
  if (spec.type === 'ExternalName') {
    const { clusterIP: _, clusterIPs: __, ipFamilies: ___, ipFamilyPolicy: ____, ...rest } = spec;
    return rest as ServiceSpec;
  }
  const planned = familiesOf(services, spec, before);
  problems.push(...planned.problems);
  if (planned.problems.length > 0) return spec;
  const { ipFamilies, ipFamilyPolicy } = planned;
  if (planned.headless)
    return { ...spec, clusterIP: 'None', clusterIPs: ['None'], ipFamilies, ipFamilyPolicy };
  const clusterIPs = ipFamilies.map((family, index) => {
    const number = family === 'IPv6' ? 6 : 4;
    const asked = planned.addresses[index];
    if (asked === undefined) {
      const free = services.freeAddress(number);
      if (free === undefined)
        problems.push(full(`spec.clusterIPs[${index}]`, `no free ${family} service address`));
      return free ?? '';
    }
    const refusal = services.refusal(asked, number, owner);
    if (refusal !== undefined) {
      const message = `Invalid value: ${JSON.stringify([asked])}: ${refusal}`;
      problems.push({ reason: 'FieldValueInvalid', field: 'spec.clusterIPs', message });
    }
    return asked;
  });
  return { ...spec, clusterIP: clusterIPs[0]!, clusterIPs, ipFamilies, ipFamilyPolicy };
}

function full(field: string, message: string): FieldProblem {
  return { reason: 'FieldValueInvalid', field, message: `Internal error: failed to allocate: ${message}` };
}

function usesNodePorts(spec: ServiceSpec): boolean {
  if (spec.type === 'NodePort') return true;
  return spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false;
}

function needsHealthCheck(spec: ServiceSpec): boolean {
  return spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
}

function withNodePorts(
  services: ServiceAllocator,
  spec: ServiceSpec,
  owner: string,
  problems: FieldProblem[],
): ServiceSpec {
  const chosen = new Map<string, number>();
  const taken = new Set<number>();
  const check = (protocol: PortProtocol, nodePort: number, field: string): void => {
    const holder = services.portOwner(protocol, nodePort);
    const inRange = nodePort >= nodePortRange.first && nodePort <= nodePortRange.last;
    if (inRange && (holder === undefined || holder === owner)) return;
    const why = inRange
      ? 'provided port is already allocated'
      : `provided port is not in the valid range. The range of valid ports is ${nodePortRange.first}-${nodePortRange.last}`;
    problems.push({ reason: 'FieldValueInvalid', field, message: `Invalid value: ${nodePort}: ${why}` });
  };
  for (const [index, { protocol = 'TCP', port, nodePort }] of (spec.ports ?? []).entries()) {
    if (!nodePort) continue;
    check(protocol, nodePort, `spec.ports[${index}].nodePort`);
    chosen.set(`${port}`, nodePort);
    taken.add(nodePort);
  }
  if (spec.healthCheckNodePort) {
    check('TCP', spec.healthCheckNodePort, 'spec.healthCheckNodePort');
    taken.add(spec.healthCheckNodePort);
  }
  const allocates = usesNodePorts(spec);
  const ports = spec.ports?.map((each, index): Port => {
    if (each.nodePort || !allocates) return each;
    const protocol = each.protocol ?? 'TCP';
    // One number for the TCP and the UDP side of the same port, as DNS wants it.
    const twin = chosen.get(`${each.port}`);
    const free =
      twin !== undefined && services.portOwner(protocol, twin) === undefined
        ? twin
        : services.freePort([protocol], taken);
    if (free === undefined) {
      problems.push(full(`spec.ports[${index}].nodePort`, 'no free node port'));
      return each;
    }
    chosen.set(`${each.port}`, free);
    taken.add(free);
    return { ...each, nodePort: free };
  });
  const healthCheckNodePort =
    needsHealthCheck(spec) && !spec.healthCheckNodePort
      ? services.freePort(['TCP'], taken)
      : spec.healthCheckNodePort;
  return {
    ...spec,
    ...(ports === undefined ? {} : { ports }),
    ...(healthCheckNodePort ? { healthCheckNodePort } : {}),
  };
}
