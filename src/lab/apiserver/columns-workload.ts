/** The columns of what makes pods: Deployments, StatefulSets, DaemonSets, Jobs and their kin. */
import type { KubeObject } from '#api/object.ts';
import { ageColumn, at, count, field, joined, list, number, text, wide } from './column.ts';
import { age } from './duration.ts';
import { formatSelector } from './scale.ts';
import type { PrinterColumn } from './types.ts';

type Container = { readonly name: string; readonly image?: string };
const template = '.spec.template.spec.containers';
const containers = wide(
  text('Containers', (object) => joined(list<Container>(object, template).map((each) => each.name))),
);
const images = wide(
  text('Images', (object) => joined(list<Container>(object, template).map((each) => each.image ?? ''))),
);
const selector = wide(
  text('Selector', (object) => formatSelector(at(object, '.spec.selector') ?? {}) || '<none>'),
);

const ratio = (ready: string, wanted: string): PrinterColumn =>
  text('Ready', (object) => `${count(ready)(object, 0)}/${count(wanted)(object, 0)}`);

function jobStatus(object: KubeObject): string {
  for (const type of ['Complete', 'Failed', 'Suspended']) {
    if (at(object, `.status.conditions[?(@.type=="${type}")].status`) === 'True') return type;
  }
  return 'Running';
}

export const workloadColumns: Readonly<Record<string, readonly PrinterColumn[]>> = {
  'apps/deployments': [
    ratio('.status.readyReplicas', '.spec.replicas'),
    number('Up-to-date', count('.status.updatedReplicas')),
    number('Available', count('.status.availableReplicas')),
    ageColumn,
    containers,
    images,
    selector,
  ],
  'apps/replicasets': [
    number('Desired', count('.spec.replicas')),
    number('Current', count('.status.replicas')),
    number('Ready', count('.status.readyReplicas')),
    ageColumn,
    containers,
    images,
    selector,
  ],
  'apps/statefulsets': [ratio('.status.readyReplicas', '.spec.replicas'), ageColumn, containers, images],
  'apps/daemonsets': [
    number('Desired', count('.status.desiredNumberScheduled')),
    number('Current', count('.status.currentNumberScheduled')),
    number('Ready', count('.status.numberReady')),
    number('Up-to-date', count('.status.updatedNumberScheduled')),
    number('Available', count('.status.numberAvailable')),
    text(
      'Node Selector',
      (object) =>
        formatSelector({ matchLabels: at(object, '.spec.template.spec.nodeSelector') ?? {} }) || '<none>',
    ),
    ageColumn,
    containers,
    images,
    selector,
  ],
  'apps/controllerrevisions': [
    text('Controller', (object) => {
      const owner = object.metadata.ownerReferences?.find((each) => each.controller === true);
      return owner === undefined ? '<none>' : `${owner.kind.toLowerCase()}.apps/${owner.name}`;
    }),
    number('Revision', count('.revision')),
    ageColumn,
  ],
  'batch/jobs': [
    text('Status', jobStatus),
    text(
      'Completions',
      (object) => `${count('.status.succeeded')(object, 0)}/${at<number>(object, '.spec.completions') ?? 1}`,
    ),
    ageColumn,
    containers,
    images,
    selector,
  ],
  'batch/cronjobs': [
    text('Schedule', field('.spec.schedule')),
    text('Timezone', field('.spec.timeZone', '<none>')),
    text('Suspend', (object) => String(at<boolean>(object, '.spec.suspend') ?? false)),
    number('Active', (object) => list(object, '.status.active').length),
    text('Last Schedule', (object, now) => {
      const time = at<string>(object, '.status.lastScheduleTime');
      return time === undefined ? '<none>' : age(time, now);
    }),
    ageColumn,
  ],
};
