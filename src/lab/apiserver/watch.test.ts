/** Watches: order, resumption, selectors, bookmarks, slow and late clients. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestServer, testServer, type WatchEvent } from './testing.ts';

let api: TestServer;
const maps = '/api/v1/namespaces/default/configmaps';

beforeAll(async () => {
  api = await testServer({ historySize: 100, bookmarkSeconds: 0.2 });
});

afterAll(() => api.close());

function write(name: string, labels: Record<string, string> = {}, value = ''): Promise<unknown> {
  return api.call('POST', maps, { metadata: { name, labels }, data: { value } });
}

function relabel(name: string, labels: Record<string, string>): Promise<unknown> {
  return api.call('PUT', `${maps}/${name}`, { metadata: { name, labels } });
}

async function revision(): Promise<string> {
  return (await api.call('GET', maps)).body.metadata.resourceVersion;
}

function brief(events: readonly WatchEvent[]): string[] {
  return events
    .filter(({ type }) => type !== 'BOOKMARK')
    .map(({ type, object }) => `${type} ${object.metadata.name}`);
}

describe('watch', () => {
  it('streams changes after a revision, in order, each once', async () => {
    const start = await revision();
    const watching = await api.watch(`${maps}?watch=true&resourceVersion=${start}`);
    await write('a');
    await relabel('a', { x: 'y' });
    await api.call('DELETE', `${maps}/a`);
    await watching.until((events) => events.length === 3);
    expect(brief(watching.events)).toEqual(['ADDED a', 'MODIFIED a', 'DELETED a']);
    const revisions = watching.events.map(({ object }) => Number(object.metadata.resourceVersion));
    expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
    const again = await api.watch(`${maps}?watch=1&resourceVersion=${revisions[0]}`);
    await again.until((events) => events.length === 2);
    expect(brief(again.events)).toEqual(['MODIFIED a', 'DELETED a']);
    watching.stop();
    again.stop();
  });

  it('starts with what is there when no revision is given', async () => {
    await write('there');
    const watching = await api.watch(`${maps}?watch=true&fieldSelector=metadata.name%3Dthere`);
    await watching.until((events) => events.length === 1);
    expect(brief(watching.events)).toEqual(['ADDED there']);
    watching.stop();
    const single = await api.watch(`${maps}/there?watch=true`);
    await single.until((events) => events.length === 1);
    single.stop();
  });

  it('adds and deletes objects as they start and stop matching', async () => {
    const start = await revision();
    const watching = await api.watch(`${maps}?watch=true&resourceVersion=${start}&labelSelector=color%3Dred`);
    await write('s', { color: 'blue' });
    await relabel('s', { color: 'red' });
    await relabel('s', { color: 'red', size: '1' });
    await relabel('s', { color: 'green' });
    await relabel('s', { color: 'yellow' });
    await relabel('s', { color: 'red' });
    await api.call('DELETE', `${maps}/s`);
    await watching.until((events) => events.length === 5);
    expect(brief(watching.events)).toEqual(['ADDED s', 'MODIFIED s', 'DELETED s', 'ADDED s', 'DELETED s']);
    const gone = watching.events[2]!.object;
    expect(gone.metadata.labels).toEqual({ color: 'red', size: '1' });
    expect(Number(gone.metadata.resourceVersion)).toBeGreaterThan(
      Number(watching.events[1]!.object.metadata.resourceVersion),
    );
    watching.stop();
  });

  it('marks the end of initial objects for streaming lists, and sends bookmarks', async () => {
    const query =
      'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
    const watching = await api.watch(`${maps}?${query}`);
    await watching.until((events) => events.filter(({ type }) => type === 'BOOKMARK').length >= 2);
    const [first, second] = watching.events.filter(({ type }) => type === 'BOOKMARK');
    expect(first!.object.metadata.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' });
    expect(second!.object.metadata.annotations).toBeUndefined();
    expect(second!.object).toMatchObject({ kind: 'ConfigMap', apiVersion: 'v1' });
    // Writes elsewhere carry the bookmark on, so that a quiet watch can always be resumed.
    await api.call('POST', '/api/v1/namespaces/default/secrets', { metadata: { name: 'elsewhere' } });
    const newest = Number(await revision());
    await watching.until((events) => Number(events.at(-1)!.object.metadata.resourceVersion) >= newest);
    watching.stop();
    expect((await api.watch(`${maps}?watch=true&sendInitialEvents=true`)).code).toBe(400);
  });

  it('says 410 for a forgotten revision and 504 for one to come', async () => {
    const start = await revision();
    await write('busy');
    for (let index = 0; index < 150; index++) await relabel('busy', { index: String(index) });
    expect((await api.watch(`${maps}?watch=true&resourceVersion=${start}`)).code).toBe(410);
    expect((await api.watch(`${maps}?watch=true&resourceVersion=99999999`)).code).toBe(504);
    expect((await api.watch(`${maps}?watch=true&resourceVersion=x`)).code).toBe(400);
  });

  it('ends by itself after timeoutSeconds with a bookmark', async () => {
    const watching = await api.watch(
      `${maps}?watch=true&resourceVersion=${await revision()}&timeoutSeconds=1&allowWatchBookmarks=true`,
    );
    await watching.ended;
    expect(watching.events.at(-1)!.type).toBe('BOOKMARK');
  });

  it('sends tables to kubectl get -w, columns once', async () => {
    await write('t');
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    const watching = await api.watch(`${maps}?watch=true&fieldSelector=metadata.name%3Dt`, { accept });
    await relabel('t', { x: 'y' });
    await watching.until((events) => events.length === 2);
    const tables = watching.events.map(
      ({ object }) => object as unknown as { columnDefinitions: unknown; rows: unknown[] },
    );
    expect(tables[0]!.columnDefinitions).toBeTruthy();
    expect(tables[1]!.columnDefinitions).toBeNull();
    expect(tables[1]!.rows).toHaveLength(1);
    watching.stop();
  });

  it('brings every change to many watchers and resumes across a restart', async () => {
    const start = await revision();
    const path = `${maps}?watch=true&resourceVersion=${start}&labelSelector=many`;
    const watchers = await Promise.all(Array.from({ length: 20 }, () => api.watch(path)));
    await Promise.all(Array.from({ length: 40 }, (_, index) => write(`many${index}`, { many: '' })));
    for (const watching of watchers) {
      await watching.until((events) => events.length === 40);
      expect(watching.events).toEqual(watchers[0]!.events);
    }
    await api.restart();
    for (const watching of watchers) await watching.ended;
    const resumed = await api.watch(path);
    await resumed.until((events) => events.length === 40);
    expect(resumed.events).toEqual(watchers[0]!.events);
    resumed.stop();
  });
});
