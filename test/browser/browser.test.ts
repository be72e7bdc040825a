/** The pure folders run unchanged in a browser, and come to the same bytes there. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { sourceRoot } from '#lab/paths.ts';
import { run } from '#system/process.ts';
import { answers, type Input } from './answers.ts';
import { serveSources } from './serve.ts';

const names = ['chromium', 'chromium-headless-shell', 'chromium-browser', 'google-chrome', 'chrome'];
const chromium =
  process.env.NETLOOM_CHROMIUM ??
  (process.env.PATH ?? '')
    .split(':')
    .flatMap((directory) => names.map((name) => join(directory, name)))
    .find((file) => existsSync(file));
const why = chromium === undefined ? ' (skipped: this machine has no Chromium)' : '';

const documents = (file: string) =>
  parseAllDocuments(readFileSync(join(sourceRoot, 'examples/policy', file), 'utf8')).map(
    (document) => document.toJS() as Input['files'][number],
  );
const input: Input = {
  cluster: documents('shop.yaml'),
  files: documents('isolate.yaml'),
  node: 'node1',
  from: 'shop/api',
  to: 'svc/shop/db',
  port: 'tcp/5432',
};

test.skipIf(chromium === undefined)(
  `headless Chromium computes what Node does${why}`,
  async () => {
    // In base64, since the page comes back as markup.
    const script = `
    import { answers } from '/test/browser/answers.ts';
    let text;
    try { text = JSON.stringify(answers(${JSON.stringify(input)})); } catch (error) { text = String(error.stack); }
    const bytes = new TextEncoder().encode(text);
    document.body.textContent = 'answer:' + btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));`;
    const served = await serveSources(sourceRoot, ['net', 'api', 'intent', 'model', 'compile'], script);
    const profile = await mkdtemp(join(tmpdir(), 'netloom-chromium-'));
    try {
      const options = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];
      const argv = [
        ...options,
        `--user-data-dir=${profile}`,
        '--virtual-time-budget=30000',
        '--dump-dom',
        served.url,
      ];
      const { code, stdout, stderr } = await run([chromium ?? '', ...argv], { timeoutMs: 60_000 });
      expect(code, stderr).toBe(0);
      const [, encoded = ''] = /answer:([A-Za-z0-9+/=]+)/.exec(stdout) ?? [];
      expect(Buffer.from(encoded, 'base64').toString('utf8')).toBe(JSON.stringify(answers(input)));
    } finally {
      await served.close();
      await rm(profile, { recursive: true, force: true });
    }
  },
  90_000,
);
