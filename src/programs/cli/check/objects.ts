/** The pods and Services that the check deploys; pure. */
import type { KubeObject } from '#api/object.ts';
import { echoPorts, servicePorts } from './facts.ts';

export const checkNamespace = 'netloom-check';

export type CheckObjectOptions = {
  readonly nodes: readonly string[];
  readonly dualStack: boolean;
};

/** In the order in which they are applied. Pods are named for what they are and where: `echo-node1`. */
export function checkObjects({ nodes, dualStack }: CheckObjectOptions): readonly KubeObject[] {
  const families = dualStack ? { ipFamilyPolicy: 'RequireDualStack' } : {};
  const local = { type: 'NodePort', externalTrafficPolicy: 'Local' };
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: checkNamespace } },
    service('echo', { ...families, selector: { app: 'echo' } }),
    service('affinity', { ...families, selector: { app: 'echo' }, sessionAffinity: 'ClientIP' }),
    service('empty', { ...families, selector: { app: 'nobody' } }),
    service('open', { ...families, type: 'NodePort', selector: { app: 'echo' } }),
    service('local', { ...families, ...local, selector: { app: 'echo' } }),
    service('lonely', { ...families, ...local, selector: { app: 'echo', node: nodes[0] } }),
    ...nodes.map((node) => service(`single-${node}`, { ...families, selector: { app: 'echo', node } })),
    ...nodes.flatMap((node) => [
      pod('echo', node, 'netloom/echo', { env: ports(echoPorts.http, echoPorts.udp) }),
      pod('client', node, 'netloom/client', {}),
      pod(
        'host',
        node,
        'netloom/echo',
        { env: ports(echoPorts.hostHttp, echoPorts.hostUdp) },
        { hostNetwork: true },
      ),
    ]),
  ];
}

function pod(app: string, node: string, image: string, container: object, spec: object = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${app}-${node}`, namespace: checkNamespace, labels: { app, node } },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 0,
      tolerations: [{ operator: 'Exists' }],
      ...spec,
      containers: [{ name: 'main', image, ...container }],
    },
  };
}

function service(name: string, spec: object): KubeObject {
  const { http, udp } = servicePorts;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: checkNamespace },
    spec: {
      ...spec,
      ports: [
        { name: 'http', protocol: 'TCP', port: http, targetPort: echoPorts.http },
        { name: 'udp', protocol: 'UDP', port: udp, targetPort: echoPorts.udp },
      ],
    },
  };
}

function ports(http: number, udp: number): object[] {
  return [
    { name: 'HTTP_PORT', value: String(http) },
    { name: 'UDP_PORT', value: String(udp) },
    { name: 'TCP_PORT', value: '0' },
    { name: 'GRPC_PORT', value: '0' },
    { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
  ];
}
