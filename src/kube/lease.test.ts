/** Elections, heartbeats and events on the lab's API server. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { leaseType, namespaceType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import { createLog } from '#telemetry/log.ts';
import { sleep } from './backoff.ts';
import { type Client, createClient, isNotFound } from './client.ts';
import { createRecorder, eventType } from './events.ts';
import { type Election, holdLease, startElection } from './lease.ts';
import type { Lease } from './leaserecord.ts';
import { type LabServer, startLabServer } from './testing/labserver.ts';
import { eventually } from './testing/witness.ts';

const namespace = 'default';
let server: LabServer;
let client: Client;
beforeAll(async () => {
  server = await startLabServer();
  client = createClient(server.config);
});
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(async () => {
  client.close();
  await server.close();
});

const quick = { namespace, leaseSeconds: 2, renewDeadlineSeconds: 1.2, retrySeconds: 0.1 };
const read = (name: string): Promise<Lease | undefined> =>
  client.get<Lease>(leaseType, name, namespace).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });

/** Who leads, and whether two ever did. */
function createStage() {
  const leading = new Set<string>();
  const stage = { leading, overlaps: 0, terms: [] as string[] };
  const lead = (identity: string) => async (signal: AbortSignal) => {
    leading.add(identity);
    stage.terms.push(identity);
    if (leading.size > 1) stage.overlaps += 1;
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    leading.delete(identity);
  };
  return { stage, lead };
}

/** A client whose network can be cut. */
function createCuttable(): { readonly client: Client; cut: boolean } {
  const state = { cut: false };
  const cuttable = createClient({
    ...server.config,
    retries: 0,
    token: () => (state.cut ? Promise.reject(new Error('no network')) : undefined),
  });
  cleanups.push(() => cuttable.close());
  return Object.assign(state, { client: cuttable });
}

describe('an election', () => {
  const start = (
    name: string,
    identity: string,
    lead: (signal: AbortSignal) => Promise<void>,
    by = client,
  ) => {
    const election: Election = startElection(by, { ...quick, name, identity, lead });
    cleanups.push(() => election.stop());
    return election;
  };

  test('has one leader; who stops hands over at once', async () => {
    const { stage, lead } = createStage();
    const elections = ['a', 'b', 'c'].map((identity) => start('handover', identity, lead(identity)));
    await eventually(() => stage.leading.size === 1);
    for (let round = 0; round < 2; round += 1) {
      const leader = elections.find((election) => election.isLeader());
      await leader?.stop();
      expect(leader?.isLeader()).toBe(false);
      await eventually(() => stage.leading.size === 1);
    }
    expect(stage.overlaps).toBe(0);
    expect(new Set(stage.terms).size).toBe(3);
    expect((await read('handover'))?.spec?.leaseTransitions).toBeGreaterThan(1);
    await Promise.all(elections.map((election) => election.stop()));
    expect((await read('handover'))?.spec?.holderIdentity ?? '').toBe('');
  });

  test('a leader that is cut off steps down before another leads, and does not come back by itself', async () => {
    const { stage, lead } = createStage();
    const network = createCuttable();
    const first = start('cut', 'first', lead('first'), network.client);
    await eventually(() => first.isLeader());
    const second = start('cut', 'second', lead('second'));
    network.cut = true;
    await eventually(() => !first.isLeader());
    await eventually(() => second.isLeader());
    network.cut = false;
    await eventually(() => first.leader() === 'second');
    expect(stage.terms).toEqual(['first', 'second']);
    expect(stage.overlaps).toBe(0);
  });

  test("other machines' clocks don't matter: a lease that moves is alive, one that stands still is not", async () => {
    const name = 'clocks';
    const held = (renewTime: string): Lease => ({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace },
      spec: { holderIdentity: 'other', leaseDurationSeconds: 1, renewTime, leaseTransitions: 7 },
    });
    await client.create<Lease>(leaseType, held('1999-01-01T00:00:00.000000Z'));
    const { stage, lead } = createStage();
    const election = start(name, 'me', lead('me'));
    // Its clock is decades behind, and runs backwards; it is alive all the same.
    for (let beat = 0; beat < 8; beat += 1) {
      await sleep(250);
      const body = { spec: { renewTime: `1998-01-01T00:00:${String(50 - beat)}.000000Z` } };
      await client.patch(leaseType, { name, namespace }, { kind: 'merge', body });
      expect(stage.terms).toEqual([]);
    }
    const future = { spec: { renewTime: '2999-01-01T00:00:00.000000Z' } };
    await client.patch(leaseType, { name, namespace }, { kind: 'merge', body: future });
    await eventually(() => election.isLeader());
    expect((await read(name))?.spec).toMatchObject({ holderIdentity: 'me', leaseTransitions: 8 });
  });

  test('work that throws gives the lease away and is tried again', async () => {
    let tries = 0;
    const election = start('throws', 'a', async () => {
      tries += 1;
      throw new Error('no');
    });
    await eventually(() => tries >= 2);
    await election.stop();
    expect((await read('throws'))?.spec?.holderIdentity ?? '').toBe('');
  });

  test('a leader whose lease object was deleted makes it again; nobody else slips in', async () => {
    const { stage, lead } = createStage();
    const elections = ['a', 'b', 'c'].map((identity) => start('deleted', identity, lead(identity)));
    // All have seen the leader.
    await eventually(() => elections.every((election) => election.leader() !== ''));
    const [leader] = stage.terms;
    const before = await read('deleted');
    await client.delete(leaseType, 'deleted', { namespace });
    let after: Lease | undefined;
    await eventually(() => {
      void read('deleted').then((lease) => (after = lease));
      return after !== undefined && after.metadata.uid !== before?.metadata.uid;
    });
    expect(after?.spec?.holderIdentity).toBe(leader);
    expect(stage.terms).toEqual([leader]);
  });
});

describe('a heartbeat', () => {
  test('renews, tells until when it holds, and keeps others out while it lives', async () => {
    // A real owner: garbage collection takes what belongs to nobody.
    const { metadata } = await client.get(namespaceType, namespace);
    const owner = { apiVersion: 'v1', kind: 'Namespace', name: namespace, uid: metadata.uid ?? '' };
    const until: number[] = [];
    const lost: string[] = [];
    const options = { name: 'beat', namespace, leaseSeconds: 2, renewSeconds: 0.1 };
    const before = Date.now();
    const mine = holdLease(client, {
      ...options,
      identity: 'mine',
      ownerReferences: [owner],
      onRenewed: (validUntil) => until.push(validUntil),
    });
    cleanups.push(() => mine.stop());
    await eventually(() => until.length > 3);
    expect(until[0]).toBeGreaterThanOrEqual(before + 2000);
    expect(until).toEqual(until.toSorted((a, b) => a - b));
    expect(mine.validUntil()).toBe(until.at(-1));
    const other = holdLease(client, { ...options, identity: 'other', onLost: (holder) => lost.push(holder) });
    cleanups.push(() => other.stop());
    await eventually(() => lost.length > 0);
    expect(lost[0]).toBe('mine');
    expect(other.validUntil()).toBe(0);
    expect((await read('beat'))?.metadata.ownerReferences).toEqual([owner]);
    await mine.stop();
    await eventually(() => other.validUntil() > 0);
  });
});

describe('events', () => {
  type EventObject = KubeObject & {
    readonly note?: string;
    readonly series?: { readonly count: number };
    readonly reason?: string;
    readonly regarding?: { readonly name?: string };
  };
  const eventsOf = async (name: string): Promise<readonly EventObject[]> =>
    (await client.list<EventObject>(eventType, { namespace })).items.filter(
      (event) => event.regarding?.name === name,
    );
  const open = (by = client, lines: string[] = []) => {
    const log = createLog({ write: (line) => lines.push(line) });
    const recorder = createRecorder(by, { controller: 'netloom.dev/test', instance: 'n1', log });
    cleanups.push(() => recorder.stop());
    return recorder;
  };
  const input = (name: string, note: string) => ({
    regarding: { apiVersion: 'netloom.dev/v1alpha1', kind: 'Subnet', name, uid: 'u' },
    type: 'Warning' as const,
    reason: 'OutOfAddresses',
    action: 'Reconcile',
    note,
  });

  test('a repeat is counted in the same event; another note is another event', async () => {
    const recorder = open();
    for (let i = 0; i < 5; i += 1) recorder.event(input('repeats', 'no free block'));
    recorder.event(input('repeats', 'none at all'));
    await recorder.flush();
    const events = await eventsOf('repeats');
    const counts = Object.fromEntries(events.map(({ note = '', series }) => [note, series?.count]));
    expect(counts).toEqual({ 'no free block': 5, 'none at all': undefined });
    expect(events[0]).toMatchObject({
      type: 'Warning',
      reportingController: 'netloom.dev/test',
      reportingInstance: 'n1',
      regarding: { kind: 'Subnet', uid: 'u' },
    });
  });

  test('a flood about one object is cut and counted', async () => {
    const recorder = open();
    for (let i = 0; i < 100; i += 1) recorder.event(input('flood', `note ${i}`));
    await recorder.flush();
    expect(await eventsOf('flood')).toHaveLength(25);
    expect(recorder.dropped()).toBe(75);
  });

  test('names and notes at their limits are made to fit', async () => {
    const recorder = open();
    recorder.event(input('n'.repeat(253), 'é'.repeat(2000)));
    await recorder.flush();
    const [event] = await eventsOf('n'.repeat(253));
    expect(Buffer.byteLength(event?.note ?? '')).toBeLessThanOrEqual(1024);
    expect(event?.note?.endsWith('é…')).toBe(true);
  });

  test('without a server it says so once an event and throws nothing', async () => {
    const lines: string[] = [];
    const network = createCuttable();
    network.cut = true;
    const recorder = open(network.client, lines);
    recorder.event(input('nowhere', 'x'));
    await recorder.flush();
    expect(recorder.dropped()).toBe(1);
    expect(lines.join('')).toContain('an event could not be written');
  });
});
