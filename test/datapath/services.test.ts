/** Published Services through the real datapath: from outside, to a balancer that asks, and beside kube-proxy's rules. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NodeIntent } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { openTestNode, type TestNode } from './node.ts';

let node: TestNode;
let pod: string;
beforeAll(async () => {
  node = await openTestNode();
  await node.run(['nft', 'add table ip kube-proxy']);
  await node.start();
});
afterAll(() => node.close());

const fetch = async (url: string) => {
  const { code, stdout } = await node.box.exec(
    ['curl', '-s', '--max-time', '2', '-w', ' %{http_code}', url],
    { netns: 'outside' },
  );
  return code === 0 ? stdout : 'nothing';
};
const ready = async () =>
  (await node.box.exec(['curl', '-s', 'http://127.0.0.1:9471/readyz?verbose'])).stdout;
const intent = (localEndpoints: number): Pick<NodeIntent, 'services' | 'healthChecks'> => {
  const origin = { kind: 'Service', namespace: 'shop', name: 'web' };
  return {
    services: {
      'shop/web//4/nodePort': {
        origin,
        protocol: 'tcp',
        frontends: [{ address: '192.168.66.11', port: 30_080 }],
        backends: [{ address: pod, port: 8080 }],
        published: { localBackends: [{ address: pod, port: 8080 }] },
      },
    },
    healthChecks: {
      'shop/web': { origin, addresses: ['192.168.66.11', 'fd66::11'], port: 32_000, localEndpoints },
    },
  };
};

test('beside kube-proxy pods are wired, Services are not served, and everybody is told why', async () => {
  [pod = ''] = await node.addPod('a');
  node.box.spawn(
    ['socat', 'TCP-LISTEN:8080,fork,reuseaddr', 'SYSTEM:echo "HTTP/1.0 200 OK"; echo; echo $SOCAT_PEERADDR'],
    {
      netns: 'a',
    },
  );
  await node.intend(intent(1));
  expect(await fetch('http://192.168.66.11:30080')).toBe('nothing');
  expect(await fetch('http://192.168.66.11:32000')).toContain('"serviceProxyHealthy":false}\n 503');
  expect(await ready()).toMatch(
    /\[-\]services failed: kube-proxy serves this node's Services \(nft table ip kube-proxy\)/,
  );
  expect(await ready()).toContain('[+]node ok');
  expect((await node.client.status()).servicesWithheld).toContain('nft delete table ip kube-proxy');
  expect(node.log()).toContain('remove kube-proxy');
});

test('when kube-proxy is gone Services are served, without a restart', async () => {
  await node.run(['nft', 'delete table ip kube-proxy']);
  await eventually(async () => expect(await fetch('http://192.168.66.11:30080')).toBe('192.168.66.1\n 200'));
  expect(await ready()).toContain('[+]services ok');
  expect((await node.client.status()).servicesWithheld).toBeUndefined();
});

test('a load balancer is told whether there are endpoints here', async () => {
  for (const host of ['192.168.66.11', '[fd66::11]']) {
    expect(await fetch(`http://${host}:32000/healthz`)).toBe(
      '{"service":{"namespace":"shop","name":"web"},"localEndpoints":1,"serviceProxyHealthy":true}\n 200',
    );
  }
  await node.intend(intent(0));
  expect(await fetch('http://192.168.66.11:32000/')).toContain('"localEndpoints":0');
  expect(await fetch('http://192.168.66.11:32000/')).toContain(' 503');
  await node.intend({ services: {}, healthChecks: {} });
  expect(await fetch('http://192.168.66.11:32000/')).toBe('nothing');
});
