/** The lab's own processes, API server and kubelet: their configuration and their starts. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '#system/files.ts';
import { type ApiServerConfig, inside, type KubeletConfig, type LabNode } from '../config.ts';
import type { LabFiles, LabSpec } from '../lab.ts';
import { compileCache, sourceRoot } from '../paths.ts';
import { clusterNetwork, ofFamily, routerAddresses } from '../topology.ts';
import { type Child, keepRunning } from './child.ts';
import { hostPidOfChild } from './machines.ts';

export type ProcessName = 'apiserver' | 'kubelet';

export function startApiServer(spec: LabSpec, files: LabFiles, routerNamespace: string): Child {
  const port = clusterNetwork.apiServerPort;
  const addresses = routerAddresses(spec.family);
  const config: ApiServerConfig = {
    dataDirectory: files.data('apiserver'),
    host: '127.0.0.1',
    port: spec.apiPort,
    listenIn: addresses.map((address) => ({ namespace: routerNamespace, address, port })),
    serviceCidrs: ofFamily(spec.family, clusterNetwork.services),
    podCidrs: ofFamily(spec.family, clusterNetwork.pods),
    advertise: addresses,
    advertisePort: port,
    kubeconfig: files.kubeconfig,
    kubeletSocket: files.kubeletSocket,
  };
  return startProcess(files, 'apiserver', config);
}

export function startKubelet(spec: LabSpec, files: LabFiles, nodes: readonly LabNode[]): Child {
  writeKubeletConfig(spec, files, nodes);
  return startProcess(files, 'kubelet');
}

/** The kubelet reads it when it starts, and anew on SIGHUP. */
export function writeKubeletConfig(spec: LabSpec, files: LabFiles, nodes: readonly LabNode[]): void {
  const [host = ''] = routerAddresses(spec.family);
  const config: KubeletConfig = {
    lab: spec.name,
    family: spec.family,
    kubeconfig: files.kubeconfig,
    socket: files.kubeletSocket,
    nodes,
    directory: files.data('kubelet'),
    imageRoot: spec.imageRoot,
    imageInNode: inside.image,
    imagesDirectory: { host: files.images, inside: inside.images },
    dns: { addresses: ofFamily(spec.family, clusterNetwork.dns), domain: clusterNetwork.domain },
    apiServer: { host, port: clusterNetwork.apiServerPort },
  };
  writeFileAtomic(files.config('kubelet'), `${JSON.stringify(config, undefined, 2)}\n`, 0o600);
}

function startProcess(files: LabFiles, name: ProcessName, config?: object): Child {
  const path = files.config(name);
  if (config !== undefined) writeFileAtomic(path, `${JSON.stringify(config, undefined, 2)}\n`, 0o600);
  mkdirSync(files.data(name), { recursive: true });
  const main = join(sourceRoot, 'src/lab', name, 'main.ts');
  if (!existsSync(main)) throw new Error(`${main} is missing`);
  return keepRunning({
    name,
    argv: [process.execPath, main, path],
    log: files.log(name),
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
    hostPid: (pid) => hostPidOfChild(join(files.directory, 'hostproc'), pid),
  });
}
