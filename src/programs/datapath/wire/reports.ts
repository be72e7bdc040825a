/** When the physical network is asked whether it carries the node's underlay Subnets, and what was found last. */
import type { WireReport } from '#intent/handover.ts';
import type { Log } from '#telemetry/log.ts';
import { type CarryContext, probeCarry } from './carry.ts';

export type WireReports = {
  reports(): readonly WireReport[];
  /** Asks now about every Subnet that this node has blocks of. */
  probe(): Promise<readonly WireReport[]>;
  close(): void;
};

/** Seldom while all is well: networks change when people do. Sooner where nothing was found out, or something bad. */
const wellEveryMs = 5 * 60_000;
const elseEveryMs = 30_000;
const lookMs = 2_000;

type Kept = { readonly report: WireReport | undefined; readonly due: number; readonly turn: number };

export function createWireReports(
  options: CarryContext & { readonly log: Log; readonly onChange: () => void },
): WireReports {
  const { node, intent, log, onChange } = options;
  const kept = new Map<string, Kept>();
  let running: Promise<void> | undefined;

  const wanted = (): [string, 4 | 6][] => {
    const blocks = intent.self[node]?.blocks ?? [];
    const keys = blocks
      .filter(({ subnet }) => intent.subnets[subnet]?.mode === 'underlay')
      .map(({ subnet, cidr }) => `${cidr.includes(':') ? 6 : 4} ${subnet}`);
    return [...new Set(keys)].map((key) => [key.slice(2), key.startsWith('6') ? 6 : 4]);
  };
  const keyOf = (subnet: string, family: 4 | 6) => `${family} ${subnet}`;

  const ask = async (subnet: string, family: 4 | 6): Promise<void> => {
    const key = keyOf(subnet, family);
    const before = kept.get(key);
    const turn = (before?.turn ?? 0) + 1;
    const found = await probeCarry(options, subnet, family, turn).catch((error: unknown) => {
      log.debug('the physical network was not probed', { subnet, family, error });
      return undefined;
    });
    // Nothing found out is no reason to forget what was: a node that is alone for a while knows no better than before.
    const report = found ?? before?.report;
    const pause = (report?.carried === true ? wellEveryMs : elseEveryMs) * (0.9 + Math.random() / 5);
    kept.set(key, { report, due: performance.now() + pause, turn });
    if (report?.carried === before?.report?.carried) return;
    if (report?.carried === false)
      log.error('the physical network does not carry an underlay Subnet', {
        subnet,
        family,
        found: report.detail,
      });
    else log.info('the physical network carries an underlay Subnet', { subnet, family });
    onChange();
  };

  const pass = async (all: boolean): Promise<void> => {
    const list = wanted();
    const keys = new Set(list.map(([subnet, family]) => keyOf(subnet, family)));
    for (const key of kept.keys()) if (!keys.has(key)) kept.delete(key);
    for (const [subnet, family] of list) {
      if (all || performance.now() >= (kept.get(keyOf(subnet, family))?.due ?? 0)) await ask(subnet, family);
    }
  };
  const inTurn = (all: boolean): Promise<void> => {
    const next = (running ?? Promise.resolve()).then(() => pass(all));
    running = next;
    return next;
  };
  let passing = false;
  const timer = setInterval(() => {
    if (passing) return;
    passing = true;
    void inTurn(false).finally(() => (passing = false));
  }, lookMs);
  timer.unref();

  const reports = () => [...kept.values()].flatMap(({ report }) => report ?? []);
  return {
    reports,
    probe: async () => {
      await inTurn(true);
      return reports();
    },
    close: () => clearInterval(timer),
  };
}
