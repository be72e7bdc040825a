/** The real kubectl installs custom resource definitions as their projects publish them. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { missing, upstreamDirectory } from './schema/upstream.ts';
import { type Kubectl, openKubectl } from './testing-kubectl.ts';

let kubectl: Kubectl;

beforeAll(async () => {
  kubectl = await openKubectl();
});
afterAll(() => kubectl?.close());

it.skipIf(missing !== undefined)('installs the upstream CRDs and validates by them', async () => {
  for (const folder of ['gateway-api-v1.6.1', 'metallb', 'network-policy-api']) {
    const { code, err } = await kubectl.run(
      'apply',
      '--server-side',
      '-R',
      '-f',
      join(upstreamDirectory, folder),
    );
    expect([folder, code, err.replaceAll(/^Warning:.*\n/gm, '')]).toEqual([folder, 0, '']);
  }
  await kubectl.good('wait', '--for=condition=Established', 'crd', '--all', '--timeout=20s');
  expect(await kubectl.good('get', 'crd')).toMatch(/gateways\.gateway\.networking\.k8s\.io +\d{4}-/);
  expect(await kubectl.good('explain', 'gateway.spec.listeners')).toContain('FIELD: listeners');
  const pool = (addresses: unknown) => ({
    apiVersion: 'metallb.io/v1beta1',
    kind: 'IPAddressPool',
    metadata: { name: 'pool' },
    spec: { addresses },
  });
  expect((await kubectl.apply(pool(['10.0.0.0/24']))).out).toContain('created');
  expect((await kubectl.apply(pool('x'))).err).toContain('spec.addresses');
  expect(await kubectl.good('get', 'ipaddresspool')).toMatch(/NAME +AUTO ASSIGN +AVOID BUGGY IPS +ADDRESSES/);
});
