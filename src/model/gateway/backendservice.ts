/** Reads Services as targets of routes. */
import type { KubeObject } from '#api/object.ts';
import { collectProblems, type Read } from '../problem.ts';
import { gatewayObject, readEntries, readPort, readRaw, readText } from './fields.ts';
import type { BackendServiceModel } from './types.ts';

/** Headless ones, too: their endpoints are as good as others'. A port that can't be used is left out. */
export function readBackendService(object: KubeObject): Read<BackendServiceModel> {
  const { origin, key } = gatewayObject(object);
  const { problems, refuse } = collectProblems(origin);
  const spec = readRaw(object['spec'], 'spec', refuse);
  const ports = readEntries(spec['ports'], 'spec.ports', refuse).flatMap(({ raw, field }) => {
    const port = readPort(raw['port'], `${field}.port`, refuse);
    const protocol = readText(raw['protocol'], `${field}.protocol`, refuse) ?? 'TCP';
    const name = readText(raw['name'], `${field}.name`, refuse) ?? '';
    const appProtocol = readText(raw['appProtocol'], `${field}.appProtocol`, refuse);
    if (port === undefined) return [];
    return [{ name, protocol, port, ...(appProtocol === undefined ? {} : { appProtocol }) }];
  });
  return { value: { origin, key, external: spec['type'] === 'ExternalName', ports }, problems };
}
