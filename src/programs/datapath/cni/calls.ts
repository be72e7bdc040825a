/** CNI calls on their way to the pods: timed, and waited for at the end. */
import type { Registry } from '#telemetry/metrics.ts';
import type { Pods } from '../pods.ts';
import { CniError, errorCode } from './error.ts';
import type { CniRequest } from './request.ts';

export type CniCalls = {
  /** Gives what the plugin prints; rejects with CniError. */
  readonly handle: (request: CniRequest) => Promise<string>;
  /** Resolves when no call is under way any more. */
  settled(): Promise<void>;
};

export function createCniCalls({
  pods,
  unready,
  metrics,
}: {
  readonly pods: Pods;
  /** Why this node can't take pods. */
  readonly unready: () => string | undefined;
  readonly metrics: Registry;
}): CniCalls {
  const seconds = metrics.histogram({
    name: 'netloom_datapath_cni_seconds',
    help: 'Time from a CNI call to its answer.',
    labels: ['command', 'result'],
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
  });
  const calls = new Set<Promise<string>>();

  const timed = async (request: CniRequest): Promise<string> => {
    const started = performance.now();
    let result = 'error';
    try {
      const output = await dispatch(request);
      result = 'ok';
      return output;
    } finally {
      seconds.observe((performance.now() - started) / 1000, { command: request.command, result });
    }
  };
  const dispatch = async (request: CniRequest): Promise<string> => {
    switch (request.command) {
      case 'ADD':
        return pods.add(request);
      case 'CHECK':
        return pods.check(request);
      case 'DEL':
        return pods.del(request);
      case 'GC':
        return pods.gc(request);
      case 'STATUS': {
        const reason = unready();
        if (reason !== undefined) throw new CniError(errorCode.notAvailable, reason);
        return '';
      }
    }
  };

  return {
    handle(request) {
      const call = timed(request);
      calls.add(call);
      const done = () => calls.delete(call);
      call.then(done, done);
      return call;
    },
    async settled() {
      await Promise.allSettled(calls);
    },
  };
}
