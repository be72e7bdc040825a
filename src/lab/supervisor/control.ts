/**
 * The supervisor's control socket: HTTP over a unix socket, JSON bodies.
 *
 *     GET    /status                        LabStatus
 *     POST   /nodes/NAME                    starts a node (new, or with the disk it left)
 *     DELETE /nodes/NAME?forget=true        ends a node; with forget its disk goes too
 *     POST   /nodes/NAME/cable?plugged=…    cuts or plugs its cable at the router
 *     POST   /nodes/NAME/processes?frozen=… stops all of its processes, or lets them run on
 *     POST   /processes/NAME?signal=SIGKILL sends a signal to a process of the lab
 */
import { createServer, type Server } from 'node:http';
import type { LabStatus } from '../lab.ts';

export type ControlActions = {
  status(): LabStatus;
  startNode(name: string): Promise<void>;
  stopNode(name: string, forget: boolean): Promise<void>;
  setCable(name: string, plugged: boolean): Promise<void>;
  setFrozen(name: string, frozen: boolean): Promise<void>;
  /** Throws when there is no such process. */
  signal(process: string, signal: NodeJS.Signals): void;
};

export function serveControl(path: string, actions: ControlActions): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume();
    answer(actions, request.method ?? '', new URL(request.url ?? '/', 'http://lab')).then(
      (body) =>
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body ?? {})),
      (error: unknown) =>
        response
          .writeHead(error instanceof NoSuchPath ? 404 : 500, { 'content-type': 'application/json' })
          .end(JSON.stringify({ error: error instanceof Error ? error.message : String(error) })),
    );
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

class NoSuchPath extends Error {}

async function answer(actions: ControlActions, method: string, url: URL): Promise<unknown> {
  const [kind, name, verb] = url.pathname.slice(1).split('/').map(decodeURIComponent);
  const query = url.searchParams;
  const key = [
    method,
    kind,
    ...(name === undefined ? [] : ['*']),
    ...(verb === undefined ? [] : [verb]),
  ].join(' ');
  switch (key) {
    case 'GET status':
      return actions.status();
    case 'POST nodes *':
      return actions.startNode(name ?? '');
    case 'DELETE nodes *':
      return actions.stopNode(name ?? '', query.get('forget') === 'true');
    case 'POST nodes * cable':
      return actions.setCable(name ?? '', query.get('plugged') !== 'false');
    case 'POST nodes * processes':
      return actions.setFrozen(name ?? '', query.get('frozen') !== 'false');
    case 'POST processes *':
      return actions.signal(name ?? '', (query.get('signal') ?? 'SIGTERM') as NodeJS.Signals);
    default:
      throw new NoSuchPath(`no ${method} ${url.pathname}`);
  }
}
