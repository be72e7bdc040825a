/** Which address families a Service has, and which addresses are asked for (KEP-563); pure but for the cluster's prefixes. */
import { parseAddr } from '#net/addr.ts';
import type { PortProtocol, ServiceAllocator } from '../allocator.ts';
import type { FieldProblem } from '../types.ts';

export type IpFamily = 'IPv4' | 'IPv6';
export type IpFamilyPolicy = 'SingleStack' | 'PreferDualStack' | 'RequireDualStack';

/** What this server reads of a Service's spec. */
export type ServiceSpec = {
  readonly type?: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  readonly selector?: Readonly<Record<string, string>>;
  readonly clusterIP?: string;
  readonly clusterIPs?: readonly string[];
  readonly ipFamilies?: readonly IpFamily[];
  readonly ipFamilyPolicy?: IpFamilyPolicy;
  readonly ports?: readonly {
    readonly name?: string;
    readonly protocol?: PortProtocol;
    readonly port: number;
    readonly nodePort?: number;
  }[];
  readonly externalTrafficPolicy?: string;
  readonly healthCheckNodePort?: number;
  readonly allocateLoadBalancerNodePorts?: boolean;
  readonly [field: string]: unknown;
};

export type Families = {
  readonly headless: boolean;
  readonly ipFamilyPolicy: IpFamilyPolicy;
  readonly ipFamilies: readonly IpFamily[];
  /** Addresses asked for or held before, one a family from the first on. */
  readonly addresses: readonly string[];
  readonly problems: readonly FieldProblem[];
};

/** The families of a Service that has cluster addresses. `before` on updates. */
export function familiesOf(
  services: Pick<ServiceAllocator, 'prefixes'>,
  spec: ServiceSpec,
  before: ServiceSpec | undefined,
): Families {
  const problems: FieldProblem[] = [];
  const configured = services.prefixes.map(({ family }): IpFamily => (family === 6 ? 'IPv6' : 'IPv4'));
  const addresses = addressesAsked(spec, before, problems);
  const headless = addresses[0] === 'None';
  const real = headless ? [] : addresses;
  if (before !== undefined) checkKept(spec, before, addresses, problems);

  const ipFamilyPolicy = policyOf(spec, before, real, headless);
  const wanted: IpFamily[] = [];
  for (const [index, address] of real.entries()) {
    const family = familyOfAddress(address);
    const asked = spec.ipFamilies?.[index];
    if (family === undefined) {
      problems.push(invalid('spec.clusterIPs', real, `${address} is not a valid IP address`));
    } else if (asked !== undefined && asked !== family) {
      problems.push(
        invalid(
          `spec.clusterIPs[${index}]`,
          address,
          `expected an ${asked} value as indicated by \`ipFamilies[${index}]\``,
        ),
      );
    } else wanted.push(family);
  }
  for (const family of spec.ipFamilies ?? []) if (!wanted.includes(family)) wanted.push(family);
  if (wanted.length === 0) wanted.push(configured[0]!);
  const other: IpFamily = wanted[0] === 'IPv4' ? 'IPv6' : 'IPv4';
  if (ipFamilyPolicy !== 'SingleStack' && wanted.length === 1) {
    const selectorless = headless && Object.keys(spec.selector ?? {}).length === 0;
    if (configured.includes(other) || selectorless) wanted.push(other);
  }
  if (ipFamilyPolicy === 'SingleStack' && wanted.length > 1) {
    // A Service that goes back to one family keeps the first; asking for two at once is a contradiction.
    if (before === undefined || before.ipFamilyPolicy === 'SingleStack') {
      problems.push(
        invalid(
          'spec.ipFamilyPolicy',
          ipFamilyPolicy,
          'must be RequireDualStack or PreferDualStack when multiple ipFamilies or clusterIPs are specified',
        ),
      );
    }
    wanted.length = 1;
  }
  const selectorless = headless && Object.keys(spec.selector ?? {}).length === 0;
  for (const [index, family] of wanted.entries()) {
    if (configured.includes(family) || selectorless) continue;
    problems.push(invalid(`spec.ipFamilies[${index}]`, family, 'not configured on this cluster'));
  }
  if (ipFamilyPolicy === 'RequireDualStack' && wanted.length === 1) {
    problems.push(
      invalid(
        'spec.ipFamilyPolicy',
        ipFamilyPolicy,
        'this cluster is not configured for dual-stack services',
      ),
    );
  }
  const held = real.slice(0, wanted.length);
  return { headless, ipFamilyPolicy, ipFamilies: wanted, addresses: held, problems };
}

function invalid(field: string, value: unknown, why: string): FieldProblem {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${JSON.stringify(value)}: ${why}` };
}

/** `clusterIPs`, or `clusterIP` where only the older field is set. */
function addressesAsked(
  spec: ServiceSpec,
  before: ServiceSpec | undefined,
  problems: FieldProblem[],
): readonly string[] {
  const list = spec.clusterIPs ?? [];
  const single = spec.clusterIP ?? '';
  if (list.length === 0) return single === '' ? [] : [single];
  if (single !== '' && single !== list[0]) {
    // A client that changes only one of the two fields means that one.
    if (before?.clusterIP === list[0]) return [single];
    if (before?.clusterIP === single) return list;
    problems.push(invalid('spec.clusterIPs', list, 'first value must match `clusterIP`'));
  }
  return list;
}

function checkKept(
  spec: ServiceSpec,
  before: ServiceSpec,
  addresses: readonly string[],
  problems: FieldProblem[],
): void {
  if (before.type === 'ExternalName' || spec.type === 'ExternalName') return;
  const first = before.clusterIPs?.[0] ?? before.clusterIP;
  if (first !== undefined && first !== '' && addresses[0] !== first) {
    problems.push(invalid('spec.clusterIPs[0]', addresses, 'may not change once set'));
  }
  const family = before.ipFamilies?.[0];
  if (family !== undefined && spec.ipFamilies?.[0] !== undefined && spec.ipFamilies[0] !== family) {
    problems.push(invalid('spec.ipFamilies[0]', spec.ipFamilies[0], 'may not change once set'));
  }
}

function policyOf(
  spec: ServiceSpec,
  before: ServiceSpec | undefined,
  addresses: readonly string[],
  headless: boolean,
): IpFamilyPolicy {
  if (spec.ipFamilyPolicy !== undefined) return spec.ipFamilyPolicy;
  if (before?.ipFamilyPolicy !== undefined) return before.ipFamilyPolicy;
  if (addresses.length > 1 || (spec.ipFamilies?.length ?? 0) > 1) return 'RequireDualStack';
  const selectorless = headless && Object.keys(spec.selector ?? {}).length === 0;
  return selectorless && spec.ipFamilies === undefined ? 'RequireDualStack' : 'SingleStack';
}

function familyOfAddress(text: string): IpFamily | undefined {
  const address = parseAddr(text);
  if (address === undefined) return undefined;
  return address.family === 6 ? 'IPv6' : 'IPv4';
}
