/** What FRR has counted of this node's sessions, by the names that MetalLB has; whether they stand the agent tells. */
import { type Counters, counterNames } from '#engines/frr/counters.ts';
import type { Registry } from '#telemetry/metrics.ts';

type Counted = { readonly [K in 'bgp' | 'bfd']: ReadonlyMap<string, Counters> };

/** Gauges, since FRR begins at zero again whenever it likes. */
export function registerBGPCounters(registry: Registry, counted: () => Counted): void {
  const gauges = (['bgp', 'bfd'] as const).flatMap((protocol) =>
    counterNames[protocol].map((name) => ({
      protocol,
      name,
      gauge: registry.gauge({
        name: `metallb_${protocol}_${name}`,
        help: `${name.replaceAll('_', ' ')} of the ${protocol.toUpperCase()} session with that address or interface, as FRR counts.`,
        labels: ['peer', 'vrf'],
      }),
    })),
  );
  let told: readonly string[] = [];
  registry.onCollect(() => {
    const now = counted();
    for (const name of told) for (const { gauge } of gauges) gauge.remove(labelsOf(name));
    for (const { protocol, name, gauge } of gauges)
      for (const [peer, counters] of now[protocol])
        if (counters[name] !== undefined) gauge.set(counters[name], labelsOf(peer));
    told = [...new Set([...now.bgp.keys(), ...now.bfd.keys()])];
  });
}

/** Of a name as the engine has it: address or interface, in a VRF with `VRF/` before. */
function labelsOf(name: string): { readonly peer: string; readonly vrf: string } {
  const slash = name.indexOf('/');
  return { peer: name.slice(slash + 1), vrf: name.slice(0, Math.max(slash, 0)) };
}
