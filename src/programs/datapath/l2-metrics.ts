/** How often this node was asked for virtual addresses and told of them, under MetalLB's names. */
import type { L2Engine } from '#engines/l2/driver.ts';
import type { Registry } from '#telemetry/metrics.ts';

const lookEveryMs = 5_000;

/** The kernel counts; it is looked at every few seconds while an address is answered for. */
export function observeL2(
  metrics: Registry,
  engine: Pick<L2Engine, 'announcing' | 'counts'>,
): { look(): Promise<void>; stop(): void } {
  const counter = (name: string, help: string) =>
    metrics.counter({ name: `metallb_layer2_${name}`, help, labels: ['ip'], maxSeries: 2_000 });
  const received = counter('requests_received', 'Number of layer2 requests received for owned IPs.');
  const sent = counter(
    'responses_sent',
    'Number of layer2 responses sent for owned IPs in response to requests.',
  );
  const gratuitous = counter('gratuitous_sent', 'Number of gratuitous layer2 packets sent for owned IPs.');
  let asked: ReadonlyMap<string, number> = new Map();
  let told: ReadonlyMap<string, number> = new Map();

  const look = async (): Promise<void> => {
    if (engine.announcing().length === 0) return;
    const now = await engine.counts();
    for (const [ip, count] of now.asked) {
      const more = grown(asked.get(ip), count);
      received.inc({ ip }, more);
      // Each question is answered in the same step of the kernel's.
      sent.inc({ ip }, more);
    }
    for (const [ip, count] of now.told) gratuitous.inc({ ip }, grown(told.get(ip), count));
    asked = now.asked;
    told = new Map(now.told);
  };
  const timer = setInterval(() => void look().catch(() => {}), lookEveryMs);
  timer.unref();
  return { look, stop: () => clearInterval(timer) };
}

/** What is held anew counts from nothing. */
function grown(before = 0, now: number): number {
  return now >= before ? now - before : now;
}
