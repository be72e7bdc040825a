/** What policy is asked about a probe: the connections that it may become, after translation; pure. */
import { judge } from '#compile/policy/decide.ts';
import type { PolicyEnd, PolicyFlow, PolicySnapshot } from '#compile/policy/snapshot.ts';
import type { Family } from '#net/addr.ts';
import { parseAddr } from '#net/addr.ts';
import type { Probe } from './case.ts';
import type { Objects } from './objects.ts';
import { addressesOf } from './world.ts';

export type Verdict = {
  readonly family: Family;
  readonly verdict: 'allow' | 'deny';
  /** For whoever reads a failure. */
  readonly because: string;
};

/** Of each family and each endpoint; empty where the way of the packets is not policy's to tell. */
export function verdictsOf(probe: Probe, objects: Objects, snapshot: PolicySnapshot): readonly Verdict[] {
  return probe.families.flatMap((family) =>
    flowsOf(probe, family, objects, snapshot).map((flow): Verdict => {
      const judged = [
        ...(flow.from.kind === 'pod' ? [judge(snapshot, 'egress', flow)] : []),
        ...(flow.to.kind === 'pod' ? [judge(snapshot, 'ingress', flow)] : []),
      ];
      const steps = judged.flatMap(({ direction, steps }) =>
        steps.map(
          ({ tier, policy, rule = '', outcome, because }) =>
            `${direction} ${tier} ${policy} ${rule}: ${outcome}: ${because}`,
        ),
      );
      const denied = judged.some(({ verdict }) => verdict === 'deny');
      return { family, verdict: denied ? 'deny' : 'allow', because: steps.join('\n') };
    }),
  );
}

type Service = {
  readonly metadata: { readonly namespace?: string };
  readonly spec: {
    readonly selector?: Readonly<Record<string, string>>;
    readonly externalTrafficPolicy?: string;
    readonly ports: readonly {
      readonly port: number;
      readonly protocol?: string;
      readonly targetPort?: number | string;
    }[];
  };
};

type Endpoint = { readonly end: PolicyEnd; readonly port: number };

function flowsOf(
  probe: Probe,
  family: Family,
  objects: Objects,
  snapshot: PolicySnapshot,
): readonly PolicyFlow[] {
  const published = /^(?:nodeport|lb)\/([^@]+)@(\S+)$/.exec(probe.to);
  const service = /^svc\/(.+)$/.exec(probe.to)?.[1] ?? published?.[1];
  const protocol = probe.protocol === 'icmp' ? 'other' : probe.protocol;
  const flow = (from: PolicyEnd, { end: to, port }: Endpoint): PolicyFlow => {
    const hairpin = from.kind === 'pod' && to.kind === 'pod' && from.key === to.key && service !== undefined;
    return { from, to, protocol, port, family, ...(hairpin ? { hairpin: true } : {}) };
  };
  const from = endOf(probe.from, family, objects, snapshot);
  if (from === undefined) return [];
  if (service === undefined) {
    const to = endOf(probe.to, family, objects, snapshot);
    return to === undefined ? [] : [flow(from, { end: to, port: probe.port })];
  }
  const object = objects.get(`Service ${service}`) as Service | undefined;
  if (object === undefined || (published !== null && from.kind === 'pod')) return [];
  return endpointsOf(object, probe, family, snapshot).map((endpoint) => {
    const entry = published?.[2];
    if (entry === undefined || object.spec.externalTrafficPolicy === 'Local') return flow(from, endpoint);
    // Its own node judges before it takes the place of the client; another one sees the node that the connection came in at.
    const isHere = endpoint.end.kind === 'pod' && snapshot.pods.get(endpoint.end.key)?.node === entry;
    return flow(
      isHere ? from : { kind: 'address', address: of(addressesOf(objects, entry), family) ?? '' },
      endpoint,
    );
  });
}

function endpointsOf(
  { metadata, spec }: Service,
  { protocol, port }: Probe,
  family: Family,
  { pods }: PolicySnapshot,
): readonly Endpoint[] {
  const found = spec.ports.find(
    (each) => each.port === port && (each.protocol ?? 'TCP').toLowerCase() === protocol,
  );
  const selector = Object.entries(spec.selector ?? {});
  if (found === undefined || selector.length === 0) return [];
  return [...pods].flatMap(([key, pod]) => {
    const isOne =
      pod.namespace === metadata.namespace && selector.every(([name, value]) => pod.labels[name] === value);
    if (!isOne || pod.ended) return [];
    const { targetPort = port } = found;
    const number =
      typeof targetPort === 'number'
        ? targetPort
        : pod.namedPorts.find((each) => each.name === targetPort && each.protocol === protocol)?.port;
    const address = of(pod.addresses, family);
    if (number === undefined || address === undefined) return [];
    return [{ end: pod.hostNetwork ? { kind: 'address', address } : { kind: 'pod', key }, port: number }];
  });
}

function endOf(
  end: string,
  family: Family,
  objects: Objects,
  { pods }: PolicySnapshot,
): PolicyEnd | undefined {
  const pod = pods.get(end);
  if (pod !== undefined && !pod.hostNetwork) return { kind: 'pod', key: end };
  const address = parseAddr(end) === undefined ? of(addressesOf(objects, end), family) : end;
  if (address === undefined) return undefined;
  const holder = [...pods].find(
    ([, each]) => !each.hostNetwork && !each.ended && each.addresses.includes(address),
  );
  return holder === undefined ? { kind: 'address', address } : { kind: 'pod', key: holder[0] };
}

const of = (addresses: readonly string[], family: Family): string | undefined =>
  addresses.find((address) => address.includes(':') === (family === 6));
