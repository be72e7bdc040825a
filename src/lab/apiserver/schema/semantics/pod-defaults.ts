/** Defaults of pod specs, in pods and in templates. */
import { at, ensure, type Fields, fill, isUnset, list, objects, text } from './fields.ts';

const mode = 0o644;

/** Fills a pod spec in place, as the API reference's defaults say. */
export function defaultPodSpec(spec: Fields): void {
  fill(spec, {
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    schedulerName: 'default-scheduler',
    terminationGracePeriodSeconds: 30,
    securityContext: {},
  });
  for (const containers of ['initContainers', 'containers', 'ephemeralContainers']) {
    for (const [, container] of objects(spec[containers])) {
      defaultContainer(container);
      if (spec.hostNetwork === true) {
        for (const [, port] of objects(container.ports)) fill(port, { hostPort: port.containerPort });
      }
    }
  }
  for (const [, volume] of objects(spec.volumes)) defaultVolume(volume);
  for (const [, constraint] of objects(spec.topologySpreadConstraints)) {
    fill(constraint, { nodeAffinityPolicy: 'Honor', nodeTaintsPolicy: 'Ignore' });
  }
}

/** What pods get beyond their spec's defaults: requests from limits, service links. */
export function defaultPod(spec: Fields): void {
  fill(spec, { enableServiceLinks: true });
  for (const containers of ['initContainers', 'containers']) {
    for (const [, container] of objects(spec[containers])) {
      const limits = at(container, 'resources', 'limits');
      if (Object.keys(limits).length > 0)
        fill(ensure(ensure(container, 'resources'), 'requests'), { ...limits });
    }
  }
}

function defaultContainer(container: Fields): void {
  fill(container, {
    imagePullPolicy: pullPolicy(text(container.image)),
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    resources: {},
  });
  for (const [, port] of objects(container.ports)) fill(port, { protocol: 'TCP' });
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    if (Object.keys(at(container, name)).length > 0) defaultProbe(at(container, name));
  }
  for (const name of ['postStart', 'preStop']) defaultHttpGet(at(container, 'lifecycle', name));
  for (const [, variable] of objects(container.env)) {
    const reference = at(variable, 'valueFrom', 'fieldRef');
    if (reference.fieldPath !== undefined) fill(reference, { apiVersion: 'v1' });
    const resource = at(variable, 'valueFrom', 'resourceFieldRef');
    if (resource.resource !== undefined) fill(resource, { divisor: '0' });
  }
}

/** A tag that isn't `latest`, or a digest, names content that doesn't change. */
function pullPolicy(image: string): string {
  const name = image.slice(image.lastIndexOf('/') + 1);
  if (name.includes('@')) return 'IfNotPresent';
  const tag = name.includes(':') ? name.slice(name.indexOf(':') + 1) : 'latest';
  return tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function defaultProbe(probe: Fields): void {
  for (const [name, value] of [
    ['timeoutSeconds', 1],
    ['periodSeconds', 10],
    ['successThreshold', 1],
    ['failureThreshold', 3],
  ] as const) {
    if (isUnset(probe[name]) || probe[name] === 0) probe[name] = value;
  }
  defaultHttpGet(probe);
  if (Object.keys(at(probe, 'grpc')).length > 0 && at(probe, 'grpc').service === undefined)
    at(probe, 'grpc').service = '';
}

function defaultHttpGet(handler: Fields): void {
  const get = at(handler, 'httpGet');
  if (Object.keys(get).length > 0) fill(get, { path: '/', scheme: 'HTTP' });
}

function defaultVolume(volume: Fields): void {
  if (Object.keys(volume).every((key) => key === 'name')) volume.emptyDir = {};
  for (const name of ['configMap', 'secret', 'downwardAPI', 'projected']) {
    if (volume[name] !== undefined) fill(at(volume, name), { defaultMode: mode });
  }
  if (volume.hostPath !== undefined && at(volume, 'hostPath').type === undefined)
    at(volume, 'hostPath').type = '';
  for (const [, source] of objects(at(volume, 'projected').sources)) {
    if (source.serviceAccountToken !== undefined)
      fill(at(source, 'serviceAccountToken'), { expirationSeconds: 3600 });
  }
  const items = [
    ...list(at(volume, 'downwardAPI').items),
    ...objects(at(volume, 'projected').sources).flatMap(([, source]) =>
      list(at(source, 'downwardAPI').items),
    ),
  ];
  for (const [, item] of objects(items)) {
    if (Object.keys(at(item, 'fieldRef')).length > 0) fill(at(item, 'fieldRef'), { apiVersion: 'v1' });
  }
}
