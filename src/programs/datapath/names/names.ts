/** Names that policies allow: learnt from the DNS answers that pods get, which wait until what they tell is held by the kernel. */

import { heldBytes } from '#engines/nftables/dns-answers.ts';
import type { EngineProblem, NamesAnswer } from '#intent/handover.ts';
import type { EndpointIntent, NodeIntent } from '#intent/node.ts';
import { ipProtocols, readPacketStart } from '#net/packet.ts';
import { readTcpSegment } from '#net/tcp.ts';
import { readUdpPacket } from '#net/udp.ts';
import { createNflogReader, type NflogRecord } from '#system/nflog.ts';
import { nflogGroups } from '#system/registry.ts';
import type { Log } from '#telemetry/log.ts';
import type { Registry } from '#telemetry/metrics.ts';
import { createThinned } from '#telemetry/thinned.ts';
import { createSignal } from '../signal.ts';
import { readNames, writeNames } from './file.ts';
import { createLearnt } from './learnt.ts';
import { createSenders } from './senders.ts';
import { createDnsStreams, type DnsStream, type DnsStreams } from './streams.ts';
import { toldBy } from './told.ts';

export type PolicyNames = {
  /** Follows a change that the intent has already. What is given must be called when every engine holds the change. */
  take(): () => void;
  /** Waits while nothing is new to who knows `after` of `instance`, at most so many milliseconds. */
  answer(instance: string | null, after: number, milliseconds: number): Promise<NamesAnswer>;
  problems(): readonly EngineProblem[];
  close(): void;
};

export type PolicyNamesOptions = {
  readonly instance: string;
  readonly node: string;
  /** Changed in place. */
  readonly intent: NodeIntent;
  /** Where what is learnt is kept. */
  readonly file: string;
  /** Asks the kernel for three seconds more of DNS answers. */
  readonly hold: () => Promise<void>;
  readonly log: Log;
  readonly metrics: Registry;
};

/** Milliseconds that an answer waits at most. */
const patience = 150;
/** More that wait at once and answers go on at once. */
const waitingAtMost = 2_000;
/** Milliseconds between two looks at the group: an answer waits for half of it on average. */
const lookMs = 3;
const everySecond = 1_000;
const lineEveryMs = 10_000;

type Waiting = { readonly revision: number; readonly go: () => void };

export function createPolicyNames(options: PolicyNamesOptions): PolicyNames {
  const { instance, node, intent, file, log } = options;
  const learnt = createLearnt(() => performance.timeOrigin + performance.now());
  const news = createSignal();
  const senders = createSenders();
  const streams = createDnsStreams();
  const failures = createThinned(lineEveryMs);
  const waiting = new Set<Waiting>();
  const { answers, late } = registerMetrics(options.metrics);
  let heldRevision = 0;
  let savedRevision = 0;
  let listens = false;
  let failed: string | undefined;

  try {
    const saved = readNames(file);
    if (saved !== undefined) learnt.restore(saved);
    learnt.expire();
  } catch (error) {
    log.warn('what pods were told of names is lost: they ask again when its time is over', { error });
  }

  const onError = (error: unknown): void =>
    failures.happened((times) => log.warn('DNS answers to pods', { error, times }));
  const sendOn = (endpoint: EndpointIntent, packet: Uint8Array): void => {
    try {
      senders.send(endpoint, packet);
    } catch (error) {
      onError(error);
    }
  };
  const wait = (revision: number, work: () => void): void => {
    const timer = setTimeout(() => {
      late.inc();
      each.go();
    }, patience);
    const each: Waiting = {
      revision,
      go: () => {
        clearTimeout(timer);
        waiting.delete(each);
        work();
      },
    };
    waiting.add(each);
  };
  const take = ({ packet }: NflogRecord): void => {
    const read = readPacket(packet, streams);
    answers.inc({}, read.messages.length);
    const { endpoint, names } = toldBy(read, intent);
    if (endpoint === undefined) return;
    const before = learnt.revision;
    const revisions = names.map(({ pod, name, addresses }) => learnt.learn(pod, name, addresses));
    if (learnt.revision !== before) news.notify();
    const revision = Math.max(read.stream?.revision ?? 0, ...revisions);
    if (read.stream !== undefined) read.stream.revision = revision;
    if (!read.isHeld) return;
    if (revision <= heldRevision || waiting.size >= waitingAtMost) sendOn(endpoint, packet);
    else {
      const kept = Buffer.from(packet);
      wait(revision, () => sendOn(endpoint, kept));
    }
  };
  const reader = createNflogReader({
    group: nflogGroups.dnsAnswers.value,
    wholeEvery: lookMs,
    onRecords: (records) => {
      for (const record of records) take(record);
    },
    onLost: (records) => log.warn('DNS answers to pods were lost; they ask again', { records }),
    onError,
  });

  const isWanted = (): boolean =>
    Object.values(intent.policySubjects).some(({ names }) => names !== undefined);
  const hold = (): void => void options.hold().catch(onError);
  /** Without a listener nothing is held back: what the kernel was told last is over in a moment. */
  const follow = (): boolean => {
    const wanted = isWanted();
    if (wanted === listens) return false;
    try {
      if (wanted) reader.join();
      else reader.leave();
      listens = wanted;
      failed = undefined;
    } catch (error) {
      failed = `can't listen to NFLOG group ${nflogGroups.dnsAnswers.value}, so no names are learnt: ${String(error)}`;
      onError(error);
    }
    return listens;
  };
  const save = (): void => {
    if (learnt.revision === savedRevision) return;
    savedRevision = learnt.revision;
    try {
      writeNames(file, learnt.save());
    } catch (error) {
      onError(error);
    }
  };
  let renewed = 0;
  const timer = setInterval(() => {
    follow();
    if (listens) hold();
    if (learnt.expire()) news.notify();
    save();
    // Times that were only put off: the file may be a minute behind.
    if (++renewed % 60 === 0) savedRevision = -1;
    senders.keep(Object.values(intent.endpoints));
  }, everySecond);

  return {
    take() {
      const told = intent.policyNames[node];
      const isNew = follow();
      return () => {
        if (isNew) hold();
        if (told?.instance !== instance || told.revision <= heldRevision) return;
        heldRevision = told.revision;
        for (const each of waiting) if (each.revision <= heldRevision) each.go();
      };
    },
    async answer(known, after, milliseconds) {
      const deadline = performance.now() + milliseconds;
      for (;;) {
        const left = deadline - performance.now();
        if (known !== instance || learnt.revision !== after || left <= 0) break;
        await news.wait(news.revision, left);
      }
      return { instance, ...learnt.since(known === instance ? after : undefined) };
    },
    problems: () =>
      [failed, learnt.overflow()].flatMap((reason) =>
        reason === undefined ? [] : [{ engine: 'datapath', entry: 'names', reason }],
      ),
    close() {
      clearInterval(timer);
      for (const each of waiting) each.go();
      save();
      reader.close();
      senders.close();
    },
  };
}

type Read = {
  readonly destination: string;
  readonly messages: readonly Uint8Array[];
  readonly stream?: DnsStream;
  /** Whether the kernel kept it back: what has gone on must not go twice. */
  readonly isHeld: boolean;
};

function readPacket(packet: Buffer, streams: DnsStreams): Read {
  const segment = readTcpSegment(packet);
  if (segment !== undefined)
    return {
      destination: segment.destination,
      ...streams.read(segment),
      isHeld: !segment.isSyn && !segment.isReset,
    };
  const datagram = readUdpPacket(packet);
  const start = readPacketStart(packet);
  return {
    destination: start?.destination ?? '',
    messages: datagram === undefined ? [] : [datagram.payload],
    isHeld: packet.length <= heldBytes || start?.protocol === ipProtocols.tcp,
  };
}

function registerMetrics(metrics: Registry) {
  return {
    answers: metrics.counter({
      name: 'netloom_datapath_dns_answers_total',
      help: 'DNS answers to pods with rules for names that were looked at.',
    }),
    late: metrics.counter({
      name: 'netloom_datapath_dns_answers_late_total',
      help: 'Of these: went on although what they tell was not held in time.',
    }),
  };
}
