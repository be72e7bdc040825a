/** ALB: an instance of the gateway that several Gateways, routes and Ingresses may share. */
import { conditionsSchema, group, type ObjectOf, version } from '../kind.ts';
import { tenantsSchema } from './tenantparts.ts';

const quantities = (description: string) =>
  ({ type: 'object', description, additionalProperties: { type: 'string', maxLength: 32 } }) as const;

const port = (description: string) =>
  ({ type: 'integer', format: 'int32', minimum: 0, maximum: 65_535, description }) as const;

const count = (description: string) =>
  ({ type: 'integer', format: 'int32', minimum: 1, maximum: 1_000_000_000, description }) as const;

export const albKind = {
  group,
  version,
  kind: 'ALB',
  plural: 'albs',
  singular: 'alb',
  shortNames: [],
  namespaced: true,
  summary:
    'An instance of the gateway with a data plane of its own. Gateways may share it, routes and Ingresses be attached to it: ' +
    'those of its own namespace, and those of its tenants.',
  specless: true,
  spec: {
    type: 'object',
    description:
      'How the instance runs, what it listens to, and who may use it. Nothing of it has to be said.',
    properties: {
      replicas: {
        type: 'integer',
        format: 'int32',
        minimum: 1,
        maximum: 100,
        description:
          'Pods, on different nodes where there are as many. Absent: one at first, then as many as the Deployment was scaled to.',
      },
      network: {
        type: 'object',
        description: 'How clients come to its pods.',
        properties: {
          mode: {
            type: 'string',
            enum: ['LoadBalancer', 'NodePort', 'ClusterIP', 'HostNetwork'],
            default: 'LoadBalancer',
            description:
              'A Service of one of the types, or `HostNetwork`: it is reached at the addresses of the nodes that its pods run on. Of two ' +
              'instances on one node with a port in common the older one has the node.',
          },
          hostPorts: {
            type: 'array',
            maxItems: 64,
            'x-kubernetes-list-type': 'set',
            items: { type: 'integer', format: 'int32', minimum: 1, maximum: 65_535 },
            description:
              'Of `HostNetwork`: ports of nodes that listeners of Gateways and ListenerSets may take; those of `http` and `https` they always may. ' +
              'Ports of the nodes themselves, such as 22 and 6443, nobody may.',
          },
          addresses: {
            type: 'array',
            maxItems: 16,
            'x-kubernetes-list-type': 'atomic',
            items: { type: 'string', minLength: 1, maxLength: 45 },
            description: 'IP addresses that its Service is to have; of `LoadBalancer` only.',
          },
          loadBalancerClass: {
            type: 'string',
            minLength: 1,
            maxLength: 253,
            description:
              'Who gives the Service its address; of `LoadBalancer` only. A change of it takes a new Service.',
          },
          externalTrafficPolicy: {
            type: 'string',
            enum: ['Local', 'Cluster'],
            default: 'Local',
            description: '`Local` keeps the addresses of clients.',
          },
          annotations: {
            type: 'object',
            additionalProperties: { type: 'string' },
            description: 'Of its Service.',
          },
        },
      },
      http: {
        type: 'object',
        description: 'Listener `http` for all hostnames.',
        properties: { port: port('0: there is none. Default: 80.') },
      },
      https: {
        type: 'object',
        description: 'Listener `https`, and the port that Ingresses with TLS get.',
        properties: {
          port: port('0: there is none. Default: 443.'),
          certificate: {
            type: 'string',
            minLength: 1,
            maxLength: 253,
            description:
              'Name of a Secret with `tls.crt` and `tls.key` in the namespace of the ALB, for hostnames that have none of their own. ' +
              'Absent: only hostnames of Ingresses and listeners with certificates are served.',
          },
        },
      },
      ingressClass: {
        type: 'object',
        description:
          'Ingresses of this class are served. An IngressClass that there is not is made, and goes with the ALB.',
        required: ['name'],
        properties: {
          name: { type: 'string', minLength: 1, maxLength: 253 },
          default: {
            type: 'boolean',
            description: 'Ingresses that name no class are of this one. Default: false.',
          },
        },
      },
      tenants: tenantsSchema(
        'Who, besides its own namespace, may attach Gateways, ListenerSets, routes and Ingresses to it. Absent: nobody.',
      ),
      hostnames: {
        type: 'string',
        enum: ['FirstHolder', 'GrantOnly', 'Shared'],
        default: 'FirstHolder',
        description:
          'Of hostnames that no HostnameGrant speaks of. `FirstHolder`: a hostname belongs to the namespace that claimed it first; ' +
          '`GrantOnly`: nobody has it; `Shared`: namespaces may share it.',
      },
      quotas: {
        type: 'object',
        description: 'What each tenant may have and use of it.',
        properties: {
          routes: count('Routes and Ingresses.'),
          size: {
            type: 'string',
            minLength: 1,
            maxLength: 32,
            description: 'Of all that its routes are in the data plane, a quantity of bytes, such as 4Mi.',
          },
          requestsPerSecond: count('Of each pod.'),
          concurrency: count('Requests at once, of each pod.'),
        },
      },
      resources: {
        type: 'object',
        description:
          'Of the container that serves requests, as in any container. Default: requests of 100m and 128Mi.',
        properties: { requests: quantities('By resource.'), limits: quantities('By resource.') },
      },
      nodeSelector: {
        type: 'object',
        description: 'Labels of nodes that its pods may run on.',
        additionalProperties: { type: 'string', maxLength: 63 },
      },
      tolerations: {
        type: 'array',
        description: 'Of its pods, as in any pod.',
        maxItems: 64,
        'x-kubernetes-list-type': 'atomic',
        items: {
          type: 'object',
          properties: {
            key: { type: 'string', maxLength: 317 },
            operator: { type: 'string', enum: ['Exists', 'Equal'] },
            value: { type: 'string', maxLength: 63 },
            effect: { type: 'string', enum: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] },
            tolerationSeconds: { type: 'integer', format: 'int64' },
          },
        },
      },
    },
  },
  status: {
    type: 'object',
    properties: {
      conditions: {
        ...conditionsSchema,
        description: '`Accepted`: it can be served; `Programmed`: it is.',
      },
      addresses: {
        type: 'array',
        description: 'Where clients reach it.',
        'x-kubernetes-list-type': 'atomic',
        items: {
          type: 'object',
          required: ['type', 'value'],
          properties: { type: { type: 'string' }, value: { type: 'string' } },
        },
      },
      gateways: {
        type: 'integer',
        format: 'int32',
        description: 'Gateways that share it.',
      },
      attachedRoutes: {
        type: 'integer',
        format: 'int32',
        description: 'Routes at that of its own listeners which has the most, those of Ingresses among them.',
      },
    },
  },
  columns: [
    { name: 'Address', type: 'string', jsonPath: '.status.addresses[*].value' },
    { name: 'Mode', type: 'string', jsonPath: '.spec.network.mode' },
    { name: 'Programmed', type: 'string', jsonPath: '.status.conditions[?(@.type=="Programmed")].status' },
    { name: 'Gateways', type: 'integer', jsonPath: '.status.gateways' },
    { name: 'Routes', type: 'integer', jsonPath: '.status.attachedRoutes' },
    { name: 'Class', type: 'string', jsonPath: '.spec.ingressClass.name', priority: 1 },
    {
      name: 'Reason',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Programmed")].reason',
      priority: 1,
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
} as const;

export type ALB = ObjectOf<typeof albKind>;
