/** Long computations in steps, so that an event loop with deadlines turns between them. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

/** A computation that may rest at each `yield`; nobody else may change what it reads until it ends. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Milliseconds of work after which the loop gets a turn. */
const sliceMs = 4;
/** After so many slices the thread sleeps: one in realtime that never does is taken for broken (realtime.ts). */
const slicesBeforeSleep = 25;

/** Runs it to its end with turns of the event loop between slices. */
export async function inSlices<T>(steps: Steps<T>): Promise<T> {
  let began = performance.now();
  let slices = 0;
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() - began < sliceMs) continue;
    slices++;
    await (slices % slicesBeforeSleep === 0 ? sleep(1) : nextTurn());
    began = performance.now();
  }
}

/** Runs it to its end at once. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
