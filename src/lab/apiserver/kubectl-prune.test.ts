/** `kubectl apply --prune` asks for each kind of a fixed list; what of it has no effect here is said. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Kubectl, openKubectl } from './testing-kubectl.ts';

let kubectl: Kubectl;

beforeAll(async () => {
  kubectl = await openKubectl();
});
afterAll(() => kubectl?.close());

it('prunes, and says what is stored without effect', async () => {
  const map = (name: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, labels: { set: 'pruned' } },
  });
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'disk', labels: { set: 'pruned' } },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  };
  const apply = (...objects: object[]) => {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
    return kubectl.runWith({}, list, 'apply', '--prune', '-l', 'set=pruned', '-f', '-');
  };
  const first = await apply(map('stays'), map('goes'), claim);
  expect(first.err).toMatch(/Warning: volume claims are stored, but this server provides no volumes/);
  expect(first.out).toContain('persistentvolumeclaim/disk created');
  const second = await apply(map('stays'));
  expect(second.out).toMatch(/configmap\/goes pruned/);
  expect(second.out).toMatch(/persistentvolumeclaim\/disk pruned/);
  const job = ['create', 'cronjob', 'tick', '--image=echo:1', '--schedule=* * * * *'];
  expect((await kubectl.run(...job)).err).toMatch(/Warning: cron jobs are stored, but/);
});
