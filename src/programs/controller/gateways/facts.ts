/** What is known of an instance that runs, or doesn't; pure. */
import type { KubeObject } from '#api/object.ts';
import type { InstanceFacts } from '#compile/gateway/types.ts';
import { loadBalancerConditions } from '#model/loadbalancerservice.ts';
import { slotsOf } from './slots.ts';

export type InstanceSight = {
  readonly name: string;
  /** The Service, where it is the instance's own. */
  readonly service: KubeObject | undefined;
  readonly readyPods: number;
  /** One of them holds what it is to serve. */
  readonly isServing: boolean;
  /** A sentence: an object of the instance can't be made. */
  readonly trouble?: string;
  readonly invalidParameters?: string;
};

export function instanceFacts(sight: InstanceSight): InstanceFacts {
  const { service, trouble, invalidParameters } = sight;
  const addresses = service === undefined ? [] : addressesOf(service as ServiceObject);
  const waiting = trouble ?? waitingFor(sight, addresses.length);
  const ports = (service as ServiceObject | undefined)?.spec?.ports ?? [];
  return {
    addresses,
    ...(waiting === undefined ? {} : { waiting }),
    ...(invalidParameters === undefined ? {} : { invalidParameters }),
    slots: slotsOf(ports),
  };
}

type ServiceObject = KubeObject & {
  readonly spec?: {
    readonly type?: string;
    readonly clusterIPs?: readonly string[];
    readonly ports?: readonly object[];
  };
  readonly status?: {
    readonly loadBalancer?: {
      readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[];
    };
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message: string;
    }[];
  };
};

function waitingFor(
  { name, service, readyPods, isServing }: InstanceSight,
  addresses: number,
): string | undefined {
  if (readyPods === 0) return `no pod of Deployment ${name} is ready`;
  if (!isServing) return `no pod of Deployment ${name} has taken what it is to serve`;
  if (service === undefined) return `there is no Service ${name} yet`;
  if (addresses > 0) return undefined;
  const failure = (service as ServiceObject).status?.conditions?.find(
    ({ type, status }) => type === loadBalancerConditions.allocated && status === 'False',
  );
  return `Service ${name} has no address${failure === undefined ? ' yet' : `: ${failure.message}`}`;
}

function addressesOf({ spec, status }: ServiceObject): InstanceFacts['addresses'] {
  if (spec?.type !== 'LoadBalancer')
    return (spec?.clusterIPs ?? [])
      .filter((ip) => ip !== 'None' && ip !== '')
      .map((value) => ({ type: 'IPAddress', value }));
  return (status?.loadBalancer?.ingress ?? []).flatMap(
    ({ ip = '', hostname = '' }): InstanceFacts['addresses'] => {
      if (ip !== '') return [{ type: 'IPAddress', value: ip }];
      return hostname === '' ? [] : [{ type: 'Hostname', value: hostname }];
    },
  );
}
