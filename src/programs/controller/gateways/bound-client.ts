/** For tests: a client that may do what the controller's ClusterRole lets it do, and nothing else; the lab's API server asks no role. */
import type { KubeObject, ResourceType } from '#api/object.ts';
import { ApiError, type Client } from '#kube/client.ts';
import { controllerRules } from '../../cli/manifests.ts';

type Rule = {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
};

export function boundClient(client: Client): Client {
  const rules = controllerRules as readonly Rule[];
  const demand = (verb: string, { group, plural }: ResourceType, subresource?: string): void => {
    const resource = subresource === undefined ? plural : `${plural}/${subresource}`;
    const isAllowed = rules.some(
      ({ apiGroups, resources, verbs }) =>
        apiGroups.includes(group) && resources.includes(resource) && verbs.includes(verb),
    );
    if (!isAllowed)
      throw new ApiError(403, { reason: 'Forbidden', message: `may not ${verb} ${resource} of "${group}"` });
  };
  return {
    ...client,
    async get<T extends KubeObject>(...[type, ...rest]: Parameters<Client['get']>) {
      demand('get', type);
      return client.get<T>(type, ...rest);
    },
    async list<T extends KubeObject>(...[type, ...rest]: Parameters<Client['list']>) {
      demand('list', type);
      return client.list<T>(type, ...rest);
    },
    async create(type, ...rest) {
      demand('create', type);
      return client.create(type, ...rest);
    },
    async patch<T extends KubeObject>(...[type, target, ...rest]: Parameters<Client['patch']>) {
      demand('patch', type, target.subresource);
      return client.patch<T>(type, target, ...rest);
    },
    async delete(type, ...rest) {
      demand('delete', type);
      await client.delete(type, ...rest);
    },
    watch<T extends KubeObject>(...[type, ...rest]: Parameters<Client['watch']>) {
      demand('watch', type);
      return client.watch<T>(type, ...rest);
    },
    update: () => Promise.reject(new Error('the controller patches')),
    updateStatus: () => Promise.reject(new Error('the controller patches')),
    request: () => Promise.reject(new Error('no role is known of it')),
  };
}
