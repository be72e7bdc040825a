/** A process for tests that answers as nginx does on its socket, from the engine's fake: `testing-nginx.ts DIRECTORY`. */
import { rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { createFakeNginx } from '#engines/nginx/fake.ts';
import { nginxFiles } from '#engines/nginx/nginx.ts';
import type { Head } from '#engines/nginx/objects.ts';

const path = join(process.argv[2] as string, nginxFiles.socket);
const fake = createFakeNginx();

createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    const text = Buffer.concat(parts).toString();
    answer(`${request.method} ${request.url}`, text, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
}).listen(path, () => process.stdout.write('listening\n'));
process.once('SIGQUIT', () => {
  rmSync(path, { force: true });
  process.exit(0);
});

async function answer(what: string, text: string, response: ServerResponse): Promise<void> {
  switch (what) {
    case 'GET /v1/status':
      response.end(JSON.stringify(await fake.status()));
      return;
    case 'GET /v1/entries':
      response.end(await fake.list());
      return;
    case 'GET /v1/metrics':
      response.end(JSON.stringify(await fake.metrics()));
      return;
    case 'GET /dump':
      response.end(JSON.stringify(fake.dump()));
      return;
    case 'POST /v1/change': {
      const [head = '', ...lines] = text.split('\n');
      const outcome = await fake.change(JSON.parse(head) as Head, lines.join('\n'));
      response
        .writeHead(outcome.kind === 'refused' ? 409 : 200)
        .end(JSON.stringify(outcome.kind === 'refused' ? outcome.status : outcome));
      return;
    }
    default:
      response.writeHead(404).end();
  }
}
