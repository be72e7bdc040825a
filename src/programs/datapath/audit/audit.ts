/** Policy in audit mode: listens to what the packet path tells of it, for as long as there is such a policy. */
import type { EngineProblem, WouldDrop } from '#intent/handover.ts';
import type { IntentChange, NodeIntent } from '#intent/node.ts';
import { createNflogReader, type NflogRecord } from '#system/nflog.ts';
import { nflogGroups } from '#system/registry.ts';
import type { Log } from '#telemetry/log.ts';
import type { Registry } from '#telemetry/metrics.ts';
import { createThinned } from '#telemetry/thinned.ts';
import { auditedFlow } from './flow.ts';
import { createAuditLedger } from './ledger.ts';
import { createWhois, type Whois } from './whois.ts';

export type PolicyAudit = {
  /** Follows a change that the intent has already. */
  take(change: IntentChange): void;
  /** What would have been dropped, by kind of connection, the latest last. */
  recent(): readonly WouldDrop[];
  /** Of each policy one, another one at most once a minute. */
  news(): readonly WouldDrop[];
  /** Why nothing is told, if it isn't. */
  problems(): readonly EngineProblem[];
  close(): void;
};

/** Milliseconds until it is tried again to listen: another program may have the group for a while. */
const retryMs = 10_000;

export function createPolicyAudit(options: {
  /** Changed in place. */
  readonly intent: NodeIntent;
  /** `news` is another one. */
  readonly onNews: () => void;
  readonly log: Log;
  readonly metrics: Registry;
}): PolicyAudit {
  const { intent, log, metrics, onNews } = options;
  const ledger = createAuditLedger({ log, metrics, onNews });
  const failures = createThinned(retryMs);
  /** Keys of decisions that have a row in audit mode. */
  const audited = new Set<string>();
  /** There while the group is listened to. */
  let whois: Whois | undefined;
  let failed: string | undefined;
  let retry: NodeJS.Timeout | undefined;

  const onRecords = (records: readonly NflogRecord[]): void => {
    for (const record of records) {
      const flow = whois && auditedFlow(record, intent, whois);
      if (flow !== undefined) ledger.add(flow);
    }
  };
  const onError = (error: unknown): void =>
    failures.happened((times) =>
      log.warn("can't read what policies in audit mode would drop", { error, times }),
    );
  const reader = createNflogReader({
    group: nflogGroups.policyAudit.value,
    onRecords,
    onLost: (records) => ledger.lost(records),
    onError,
  });

  const attempt = (work: () => void): void => {
    clearTimeout(retry);
    try {
      work();
      failed = undefined;
      failures.over();
    } catch (error) {
      failed = `can't listen to NFLOG group ${nflogGroups.policyAudit.value}: ${String(error)}`;
      onError(error);
      retry = setTimeout(follow, retryMs).unref();
    }
  };
  const follow = (): void => {
    if (audited.size > 0 && whois === undefined)
      attempt(() => {
        reader.join();
        whois = createWhois(intent);
      });
    else if (audited.size === 0 && whois !== undefined)
      attempt(() => {
        whois = undefined;
        reader.leave();
        ledger.over();
      });
    else if (audited.size === 0) failed = undefined;
  };
  return {
    take(change) {
      if (change.replace) audited.clear();
      for (const key of change.remove.policyDecisions ?? []) audited.delete(key);
      for (const [key, { rows }] of Object.entries(change.put.policyDecisions ?? {})) {
        if (rows.some(({ verdict }) => verdict === 'audit')) audited.add(key);
        else audited.delete(key);
      }
      whois?.take(change);
      follow();
    },
    recent: () => ledger.recent(),
    news: () => ledger.news(),
    problems: () => (failed === undefined ? [] : [{ engine: 'datapath', entry: 'audit', reason: failed }]),
    close() {
      clearTimeout(retry);
      reader.close();
    },
  };
}
