/** Names a resource of Kubernetes' own groups; the lab reads those of version v1 in namespaces. */
import type { ResourceType } from '#api/object.ts';

export const kind = (group: string, name: string, plural: string): ResourceType => ({
  group,
  version: 'v1',
  kind: name,
  plural,
  namespaced: true,
});
