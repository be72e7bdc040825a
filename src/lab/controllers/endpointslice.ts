/** EndpointSlice: the backends of every Service, from its pods or from the Endpoints object that a user wrote. */
import { endpointSliceType } from '#api/core.ts';
import { isOlder } from '#kube/cache.ts';
import { isNotFound } from '#kube/client.ts';
import { selects } from '#model/selector.ts';
import type { Pod } from '../objects/pod.ts';
import type { EndpointSlice, Service } from '../objects/service.ts';
import {
  type Controller,
  type ControllerContext,
  keyOfObject,
  splitKey,
  startController,
  untilSeen,
} from './controller.ts';
import type { Informers } from './informers.ts';
import { isTerminating } from './pods.ts';
import { managedBy, mirroredGroups, planSlices, type SlicePlan, serviceGroups } from './slices.ts';

export function endpointSliceController(context: ControllerContext, informers: Informers): Controller {
  const { client } = context;
  const { services, pods, nodes, slices, endpoints } = informers;

  const reconcile = async (key: string) => {
    const [namespace, name] = splitKey(key);
    const service = services.get(namespace, name);
    const existing = slices.byIndex('service', key);
    if (service === undefined || isTerminating(service)) {
      // Without the owner collector's help, too: nobody must send to what no Service names.
      const mine = existing.filter(({ metadata }) => isOurs(metadata.labels ?? {}));
      return apply({ create: [], update: [], remove: mine });
    }
    await apply(plan(service, existing));
  };
  const plan = (service: Service, existing: readonly EndpointSlice[]): SlicePlan => {
    const { namespace = '', name } = service.metadata;
    const { selector, type } = service.spec;
    if (type === 'ExternalName')
      return merged(planSlices(service, [], existing), planSlices(service, [], existing, managedBy.mirror));
    if (selector === undefined || Object.keys(selector).length === 0) {
      const written = endpoints.get(namespace, name);
      const mirrored =
        written === undefined || isTerminating(written) || !isMirrored(written.metadata.labels ?? {})
          ? []
          : mirroredGroups(written);
      return merged(
        planSlices(service, [], existing),
        planSlices(service, mirrored, existing, managedBy.mirror),
      );
    }
    const chosen = pods
      .byIndex('namespace', namespace)
      .filter(({ metadata }) => selects({ matchLabels: selector }, metadata.labels ?? {}))
      .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    const groups = serviceGroups(service, chosen, (node) => nodes.get(undefined, node));
    return merged(planSlices(service, groups, existing), planSlices(service, [], existing, managedBy.mirror));
  };
  const apply = async ({ create, update, remove }: SlicePlan): Promise<void> => {
    for (const slice of update) {
      const done = await client.update(endpointSliceType, slice);
      await seen(done);
    }
    for (const slice of create) await seen(await client.create(endpointSliceType, slice));
    for (const { metadata } of remove) {
      try {
        await client.delete(endpointSliceType, metadata.name, {
          namespace: metadata.namespace,
          uid: metadata.uid,
        });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
      await untilSeen(
        slices,
        () => slices.get(metadata.namespace, metadata.name)?.metadata.uid !== metadata.uid,
      );
    }
  };
  const seen = ({ metadata }: EndpointSlice): Promise<void> => {
    const { namespace, name, resourceVersion = '' } = metadata;
    const isHeld = () => {
      const held = slices.get(namespace, name)?.metadata.resourceVersion;
      return held !== undefined && !isOlder(held, resourceVersion);
    };
    return untilSeen(slices, isHeld, resourceVersion);
  };
  return startController(context, {
    name: 'endpointslice',
    sources: [
      { informer: services, keys: (service) => [keyOfObject(service)] },
      {
        informer: pods,
        keys: (pod) => servicesOf(pod, services.byIndex('namespace', pod.metadata.namespace ?? '')),
      },
      { informer: endpoints, keys: (object) => [keyOfObject(object)] },
      {
        informer: slices,
        keys: ({ metadata }) => [
          `${metadata.namespace}/${metadata.labels?.['kubernetes.io/service-name'] ?? ''}`,
        ],
      },
      // Zones are read when a pod changes; nodes rarely change theirs.
      { informer: nodes, keys: () => [] },
    ],
    reconcile,
  });
}

function servicesOf(pod: Pod, services: readonly Service[]): readonly string[] {
  return services
    .filter(
      ({ spec }) =>
        spec.selector !== undefined && selects({ matchLabels: spec.selector }, pod.metadata.labels ?? {}),
    )
    .map(keyOfObject);
}

function isOurs(labels: Readonly<Record<string, string>>): boolean {
  const manager = labels['endpointslice.kubernetes.io/managed-by'];
  return manager === managedBy.pods || manager === managedBy.mirror;
}

/** A user may ask that an Endpoints object is not mirrored; leader election records never are. */
function isMirrored(labels: Readonly<Record<string, string>>): boolean {
  return labels['endpointslice.kubernetes.io/skip-mirror'] !== 'true';
}

function merged(a: SlicePlan, b: SlicePlan): SlicePlan {
  return {
    create: [...a.create, ...b.create],
    update: [...a.update, ...b.update],
    remove: [...a.remove, ...b.remove],
  };
}
