/** All small controllers of the lab over one set of caches. */
import type { Client } from '#kube/client.ts';
import type { Log } from '#telemetry/log.ts';
import { createContext } from './controller.ts';
import { daemonSetController } from './daemonset.ts';
import { deploymentController } from './deployment.ts';
import { endpointSliceController } from './endpointslice.ts';
import { startInformers } from './informers.ts';
import { jobController } from './job.ts';
import { nodeLifecycleController } from './nodelife.ts';
import { replicaSetController } from './replicaset.ts';
import { schedulerController } from './scheduler.ts';
import { statefulSetController } from './statefulset.ts';

export type RunningControllers = { stop(): Promise<void> };

/** They begin when the server answers and everything is in the caches, and converge from whatever they find. */
export function startControllers(client: Client, log: Log): RunningControllers {
  const context = createContext(client, log);
  const informers = startInformers(client, log);
  const running = [
    schedulerController,
    replicaSetController,
    deploymentController,
    statefulSetController,
    daemonSetController,
    jobController,
    endpointSliceController,
    nodeLifecycleController,
  ].map((start) => start(context, informers));
  return {
    async stop() {
      informers.stop();
      await Promise.all(running.map((controller) => controller.stop()));
      await context.recorder.stop();
    },
  };
}
