/** The sources over HTTP, their types cut out, and a page that runs one module of them. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';

export type Served = { readonly url: string; readonly close: () => Promise<void> };

/** `script`: a module's text, which may import `#…` and `/…`. It ends by writing into the page. */
export async function serveSources(
  root: string,
  folders: readonly string[],
  script: string,
): Promise<Served> {
  const imports = Object.fromEntries(folders.map((folder) => [`#${folder}/`, `/src/${folder}/`]));
  const page = `<!doctype html><title>waiting</title><script type="importmap">${JSON.stringify({ imports })}</script>
<body></body><script type="module">${script}</script>`;
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname);
    if (path === '/') {
      response.setHeader('content-type', 'text/html; charset=utf-8').end(page);
      return;
    }
    readFile(join(root, path), 'utf8').then(
      (text) => response.setHeader('content-type', 'text/javascript').end(stripTypeScriptTypes(text)),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
