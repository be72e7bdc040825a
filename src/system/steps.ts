/** Long computations in steps, so that an event loop with deadlines turns between them. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** A computation that may rest at each `yield`; nobody else may change what it reads until it ends. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** Milliseconds of work after which the loop gets a turn. */
const sliceMs = 4;

/** Runs it to its end with turns of the event loop between slices. */
export async function inSlices<T>(steps: Steps<T>): Promise<T> {
  let began = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() - began < sliceMs) continue;
    await nextTurn();
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
