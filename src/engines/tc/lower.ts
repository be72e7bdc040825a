/** Intent ─► objects: the limits of one endpoint on its devices; pure. */
import type { BandwidthIntent, EndpointIntent, RateIntent } from '#intent/node.ts';
import { links, numbers } from '#system/registry.ts';
import type { Ifb, Redirect, Shaper, TcObject } from './objects.ts';

/**
 * Nothing for an endpoint of another pod under the name. What goes to the pod waits in a queue on the node's end of its veth; what comes from it
 * is led through an ifb of its own and waits there.
 */
export function lowerEndpoint(
  key: string,
  endpoint: EndpointIntent,
  bandwidth: BandwidthIntent,
): readonly TcObject[] {
  if (!isOf(bandwidth, endpoint)) return [];
  const { device, ifindex } = endpoint;
  const { ingress, egress } = bandwidth;
  const objects: TcObject[] = [];
  if (ingress !== undefined) objects.push({ kind: 'shaper', device, ifindex, ...shaping(ingress) });
  if (egress === undefined) return objects;
  const name = ifbOf(device);
  const ifb: Ifb = { kind: 'ifb', name, alias: `netloom/${numbers.wiringVersion.value} ${key}`, up: true };
  const shaper: Shaper = { kind: 'shaper', device: name, ...shaping(egress) };
  const redirect: Redirect = { kind: 'redirect', device, ifindex, to: name };
  return [...objects, ifb, shaper, redirect];
}

/** The key of the bandwidth entry that an endpoint is under. */
export function podKey({ origin }: Pick<EndpointIntent, 'origin'>): string {
  return `${origin.namespace}/${origin.name}`;
}

/** A pod that was made again under its name is another pod; where a UID isn't known, the name must do. */
function isOf(bandwidth: BandwidthIntent, endpoint: EndpointIntent): boolean {
  const { podUID = '' } = endpoint;
  return podUID === '' || bandwidth.uid === '' || bandwidth.uid === podUID;
}

/** Its device's name, with our prefix for ifbs in the place of that for pods. */
export function ifbOf(device: string): string {
  return links.ifbPrefix.value + device.slice(links.podPrefix.value.length);
}

/** Bytes that may pass at once: 10 ms of the rate, and a whole large segment, which else is cut into frames (measured: README). */
const burstSeconds = 0.01;
const usualBurst = 70_000;
/** A frame that is larger than the burst would never pass: two jumbo frames. */
const leastBurst = 20_000;
/** Bytes that may wait: 50 ms of the rate; never less than one large segment, nor so many that they'd fill the memory. */
const queueSeconds = 0.05;
const leastQueue = 65_536;
const mostQueue = 64 * 1024 * 1024;
/** The kernel keeps a burst as a time, in 32 bits of 64 ns: 274 s. */
const mostBurstSeconds = 270;
const mostBytes = 2 ** 31;

function shaping({ bitsPerSecond, burstBits }: RateIntent) {
  const bytesPerSecond = Math.ceil(bitsPerSecond / 8);
  const wanted =
    burstBits === undefined ? Math.max(bytesPerSecond * burstSeconds, usualBurst) : burstBits / 8;
  const most = Math.max(leastBurst, Math.min(bytesPerSecond * mostBurstSeconds, mostBytes));
  const burst = Math.round(clamp(wanted, leastBurst, most));
  const queue = Math.round(clamp(bytesPerSecond * queueSeconds, leastQueue, mostQueue));
  return { bytesPerSecond, burst, limit: burst + queue };
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
