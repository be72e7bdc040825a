/** Pages that are printed from the sources are what the sources print; `npx vitest run test/house -u` rewrites them. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { kinds } from '#api/kinds.ts';
import { referencePage } from '#api/reference.ts';
import { kindsPage } from '#compile/alauda/kinds-page.ts';
import { featuresPage } from '#compile/gateway/features-page.ts';
import { ingressPage } from '#compile/ingress/annotations-page.ts';
import * as registry from '#system/registry.ts';
import { registryPage } from '#system/registry-page.ts';
import { root } from './sources.ts';

test('docs/kinds.md', async () => {
  await expect(referencePage(kinds)).toMatchFileSnapshot(join(root, 'docs/kinds.md'));
});

test('docs/registry.md', async () => {
  await expect(registryPage(registry)).toMatchFileSnapshot(join(root, 'docs/registry.md'));
});

test('docs/gateway-api.md', async () => {
  await expect(featuresPage()).toMatchFileSnapshot(join(root, 'docs/gateway-api.md'));
});

test('docs/ingress.md', async () => {
  await expect(ingressPage()).toMatchFileSnapshot(join(root, 'docs/ingress.md'));
});

test('docs/alb-kinds.md', async () => {
  await expect(kindsPage()).toMatchFileSnapshot(join(root, 'docs/alb-kinds.md'));
});
