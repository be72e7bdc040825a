/** Lists: selectors, pages, revisions, tables. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answered, type TestServer, testServer } from './testing.ts';

let api: TestServer;
const maps = '/api/v1/namespaces/lists/configmaps';

function names(body: { items: { metadata: { name: string } }[] }): string[] {
  return body.items.map((item) => item.metadata.name);
}

beforeAll(async () => {
  api = await testServer({ historySize: 200 });
  await api.call('POST', '/api/v1/namespaces', { metadata: { name: 'lists' } });
  for (let index = 0; index < 10; index++) {
    const labels = { parity: index % 2 === 0 ? 'even' : 'odd', index: String(index) };
    await api.call('POST', maps, { metadata: { name: `m${index}`, labels } });
  }
  await answered(
    () => api.call('GET', `${maps}/kube-root-ca.crt`),
    ({ code }) => code === 200,
  );
  await api.call(
    'PATCH',
    `${maps}/kube-root-ca.crt`,
    { metadata: { labels: { system: '' } } },
    { type: 'application/merge-patch+json' },
  );
});

afterAll(() => api.close());

describe('selectors', () => {
  it.each([
    ['parity=even', ['m0', 'm2', 'm4', 'm6', 'm8']],
    ['parity==odd,index!=3', ['m1', 'm5', 'm7', 'm9']],
    ['index in (1, 2,x)', ['m1', 'm2']],
    ['index notin (0,1,2,3,4,5),!system', ['m6', 'm7', 'm8', 'm9']],
    ['system', ['kube-root-ca.crt']],
    ['index>7', ['m8', 'm9']],
    ['index<1', ['m0']],
    ['parity=', []],
    ['constructor', []],
  ])('selects labels by %s', async (selector, expected) => {
    const { body } = await api.call('GET', `${maps}?labelSelector=${encodeURIComponent(selector)}`);
    expect(names(body)).toEqual(expected);
  });

  it('selects fields', async () => {
    const get = (selector: string) =>
      api.call('GET', `/api/v1/configmaps?fieldSelector=${encodeURIComponent(selector)}`);
    expect(names((await get('metadata.name=m3')).body)).toEqual(['m3']);
    expect(names((await get('metadata.name=m3,metadata.namespace!=lists')).body)).toEqual([]);
    expect(names((await get('metadata.name==nothing')).body)).toEqual([]);
    expect((await get('data.x=1')).body.message).toBe('field label not supported: data.x');
  });

  it.each(['a=b=c', 'a in b', '=x', 'in (a', '*'])('refuses the label selector %s', async (selector) => {
    const { code } = await api.call('GET', `${maps}?labelSelector=${encodeURIComponent(selector)}`);
    expect(code).toBe(400);
  });
});

describe('pages', () => {
  it("keeps the first page's view over changes", async () => {
    const all = names((await api.call('GET', maps)).body);
    const first = await api.call('GET', `${maps}?limit=4`);
    expect(first.body.metadata.remainingItemCount).toBe(all.length - 4);
    await api.call('DELETE', `${maps}/m5`);
    await api.call('POST', maps, { metadata: { name: 'm5x' } });
    const seen = names(first.body);
    let token: string | undefined = first.body.metadata.continue;
    while (token !== undefined) {
      const page = await api.call('GET', `${maps}?limit=4&continue=${token}`);
      expect(page.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion);
      seen.push(...names(page.body));
      token = page.body.metadata.continue;
    }
    expect(seen).toEqual(all);
    expect(names((await api.call('GET', maps)).body)).toContain('m5x');
  });

  it('says when a page is too old, and refuses foreign tokens', async () => {
    const first = await api.call('GET', `${maps}?limit=2`);
    for (let index = 0; index < 300; index++) {
      await api.call('PUT', `${maps}/m0`, { metadata: { name: 'm0' }, data: { index: String(index) } });
    }
    const late = await api.call('GET', `${maps}?limit=2&continue=${first.body.metadata.continue}`);
    expect([late.code, late.body.reason]).toEqual([410, 'Expired']);
    expect((await api.call('GET', `${maps}?continue=nonsense`)).code).toBe(400);
  });

  it('lists at a revision', async () => {
    const { body: before } = await api.call('GET', maps);
    await api.call('DELETE', `${maps}/m7`);
    const at = `resourceVersion=${before.metadata.resourceVersion}`;
    const exact = await api.call('GET', `${maps}?${at}&resourceVersionMatch=Exact`);
    expect(exact.body.items).toEqual(before.items);
    const newer = await api.call('GET', `${maps}?${at}&resourceVersionMatch=NotOlderThan`);
    expect(names(newer.body)).not.toContain('m7');
    const future = await api.call('GET', `${maps}?resourceVersion=999999`);
    expect(future.code).toBe(504);
    expect(future.body.details.causes[0].reason).toBe('ResourceVersionTooLarge');
    expect((await api.call('GET', `${maps}?resourceVersionMatch=Exact`)).code).toBe(400);
  });
});

describe('representations', () => {
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

  it('prints pods as kubectl does', async () => {
    const pods = '/api/v1/namespaces/lists/pods';
    await answered(
      () => api.call('GET', '/api/v1/namespaces/lists/serviceaccounts/default'),
      ({ code }) => code === 200,
    );
    const spec = {
      containers: [
        { name: 'a', image: 'x' },
        { name: 'b', image: 'x' },
      ],
      nodeName: 'n1',
    };
    expect((await api.call('POST', pods, { metadata: { name: 'p' }, spec })).code).toBe(201);
    const running = { phase: 'Running', podIPs: [{ ip: '10.244.0.5' }], podIP: '10.244.0.5' };
    const status = (containers: object[]) =>
      api.call(
        'PATCH',
        `${pods}/p/status`,
        { status: { ...running, containerStatuses: containers } },
        {
          type: 'application/merge-patch+json',
        },
      );
    const one = { image: 'x', imageID: '', restartCount: 0 };
    await status([
      { ...one, name: 'a', ready: true, state: { running: {} } },
      {
        ...one,
        name: 'b',
        ready: false,
        restartCount: 3,
        state: { waiting: { reason: 'CrashLoopBackOff' } },
      },
    ]);
    const { body } = await api.call('GET', pods, undefined, { accept: table });
    expect(body.kind).toBe('Table');
    const shown = Object.fromEntries(
      body.columnDefinitions.map(({ name }: { name: string }, index: number) => [
        name,
        body.rows[0].cells[index],
      ]),
    );
    expect(shown).toMatchObject({
      Name: 'p',
      Ready: '1/2',
      Status: 'CrashLoopBackOff',
      Restarts: '3',
      IP: '10.244.0.5',
      Node: 'n1',
      'Nominated Node': '<none>',
    });
    expect(body.rows[0].object).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'p' } });
    await api.call('DELETE', `${pods}/p`);
    const dying = await api.call('GET', `${pods}/p`, undefined, { accept: table });
    expect(dying.body.rows[0].cells[2]).toBe('Terminating');
  });

  it('answers with metadata only, and compressed when large', async () => {
    const accept = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';
    const { body } = await api.call('GET', maps, undefined, { accept });
    expect(body.kind).toBe('PartialObjectMetadataList');
    expect(body.items[0].data).toBeUndefined();
    const zipped = await api.call('GET', '/openapi/v2', undefined, {
      headers: { 'accept-encoding': 'gzip' },
    });
    expect(zipped.headers['content-encoding']).toBe('gzip');
  });
});
