/** What nginx.conf calls: one function a hook. */
import { answer } from './answer.ts';
import { endAside, serveAside } from './aside.ts';
import { prepareQuestion } from './authorize.ts';
import { balance } from './balance.ts';
import { dropRetired, limitBodyHere } from './body-limit.ts';
import { lookWhetherClosing } from './closing.ts';
import { listEntries, loadStart, sayStatus, takeChange } from './control.ts';
import { countRequest, tellCounts, writeCounts } from './count.ts';
import { dropRetiredRules } from './firewall-sets.ts';
import { changeAnswer, limitAnswer } from './headers.ts';
import { seedIdentity } from './identity.ts';
import { afterMirrors, mirror } from './mirror.ts';
import { askForPage, withoutPage } from './pages.ts';
import { pause } from './pause.ts';
import { takeOverPlaces } from './places.ts';
import { endRelayed } from './relay.ts';
import { closeToOthers, currentRequest, requestKey, variable } from './request.ts';
import { serve, serveLast } from './serve.ts';
import { enterWorker, shareCells } from './shared-cells.ts';
import { askForShortSlice } from './slice.ts';
import { takeOverSpool } from './spool.ts';
import { readSpooled } from './spooled.ts';
import { serveInspected } from './steps.ts';
import { shareVersion } from './store.ts';
import { certify, greet } from './tls.ts';
import { millisecondsLeft, visitOf } from './visits.ts';
import { currentTable } from './worker.ts';

const jitOptions = require('jit.opt') as { readonly start: (this: void, ...options: string[]) => void };

/** Seconds between two looks of a worker that nobody asks anything. */
const lookSeconds = 0.1;
const writeSeconds = 1;

/** init_by_lua; `directory` is nginx's prefix and ends in a slash. */
export function init(this: void, directory: string): void {
  shareVersion();
  shareCells();
  loadStart(`${directory}nginx.entries`);
}

/** init_worker_by_lua: before the first request of the worker. */
export function initWorker(this: void): void {
  askForShortSlice();
  closeToOthers(`${ngx.config.prefix()}nginx.sock`);
  closeToOthers(`${ngx.config.prefix()}aside.sock`);
  closeToOthers(`${ngx.config.prefix()}relay.sock`);
  takeOverPlaces();
  takeOverSpool();
  // A request's way through the hooks is one long trace; LuaJIT's own limits would leave it in pieces, or interpreted.
  jitOptions.start('maxrecord=20000', 'maxirconst=4000', 'maxsnap=4000', 'maxtrace=8000', 'maxmcode=16384');
  seedIdentity();
  enterWorker();
  currentTable();
  ngx.timer.every(lookSeconds, () => {
    currentTable();
  });
  ngx.timer.every(writeSeconds, () => {
    writeCounts();
    dropRetired();
    dropRetiredRules();
    lookWhetherClosing(ngx.config.prefix());
  });
}

/** content_by_lua where nginx itself failed: what it means to the client. */
export function failed(this: void): void {
  const pointer = currentRequest();
  const visit = visitOf(requestKey(pointer));
  const status = tonumber(variable(pointer, 'status'));
  const late = visit !== undefined && visit.deadline > 0 && millisecondsLeft(visit) <= 0;
  answer(pointer, late ? 504 : status === undefined ? 500 : status);
}

export {
  afterMirrors,
  askForPage,
  balance,
  certify,
  changeAnswer,
  countRequest,
  endAside,
  endRelayed,
  greet,
  limitAnswer,
  limitBodyHere,
  listEntries,
  mirror,
  pause,
  prepareQuestion,
  readSpooled,
  sayStatus,
  serve,
  serveAside,
  serveInspected,
  serveLast,
  takeChange,
  tellCounts,
  withoutPage,
  writeCounts,
};
