/** The image `netloom/dns`: keeps unbound's records as the cluster's Services, EndpointSlices and Pods are. CLUSTER_DOMAIN names the domain. */

import { existsSync, readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { endpointSliceType, podType, serviceType } from '#api/core.ts';
import { createClient } from '#kube/client.ts';
import { startInformer } from '#kube/informer.ts';
import { loadConfig } from '#kube/kubeconfig.ts';
import { createLog } from '#telemetry/log.ts';
import { parseResolvConf } from '../kubelet/resolv.ts';
import type { Pod } from '../objects/pod.ts';
import type { EndpointSlice, Service } from '../objects/service.ts';
import { type ClusterRecords, clusterRecords, type NamedPod, podNames } from './records.ts';
import { startResolver } from './unbound.ts';

const log = createLog({ level: 'info' });
const domain = process.env.CLUSTER_DOMAIN ?? 'cluster.local';
if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(domain))
  throw new Error(`CLUSTER_DOMAIN ${JSON.stringify(domain)} is no domain`);
const client = createClient(await loadConfig());
const services = startInformer<Service>(client, serviceType, { log });
const slices = startInformer<EndpointSlice>(client, endpointSliceType, { log });
const pods = startInformer<Pod, NamedPod>(client, podType, {
  log,
  transform: podNames,
  equal: (a, b) => a.namespace === b.namespace && a.addresses.join() === b.addresses.join(),
});
const records = (): ClusterRecords =>
  clusterRecords({ services: services.list(), slices: slices.list(), pods: pods.list(), domain });
await Promise.all([services.synced, slices.synced, pods.synced]);

// The pod's own resolver is the node's (dnsPolicy Default); one on the loopback would be ourselves.
const resolvConf = existsSync('/etc/resolv.conf') ? readFileSync('/etc/resolv.conf', 'utf8') : '';
const upstreams = parseResolvConf(resolvConf).nameservers.filter((address) => !/^(127\.|::1$)/.test(address));
const resolver = await startResolver({ directory: '/run/cluster-dns', domain, upstreams }, records());
log.info('the cluster DNS answers', {
  domain,
  services: services.list().length,
  upstreams: upstreams.join(' ') || 'none',
});

let wanted = false;
let working = false;
/** Changes that come together are published together; with many records the pauses grow. */
const publish = async (): Promise<void> => {
  wanted = true;
  if (working) return;
  working = true;
  while (wanted) {
    wanted = false;
    const started = performance.now();
    try {
      await resolver.publish(records());
    } catch (error) {
      log.warn('the records could not be published and will be again', { error });
      wanted = true;
      await pause(500);
    }
    await pause(Math.min(1000, 20 + (performance.now() - started)));
  }
  working = false;
};
const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));
for (const informer of [services, slices, pods]) informer.onChange(() => void publish());
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolver.stop());

// A process that is killed would not keep it (NODE_COMPILE_CACHE).
flushCompileCache();
log.info('the resolver ended', { how: await resolver.ended });
process.exit(1);
