/** ALB2, of ALB: an instance of the load balancer. Read as an ALB of ours. */
import type { ObjectOf } from '../kind.ts';
import { alaudaGroup, settingsProperties } from './alaudaparts.ts';

const text = (description: string) => ({ type: 'string', description }) as const;
const number = (description: string) => ({ type: 'integer', description }) as const;

const resourcesSchema = {
  type: 'object',
  description: 'CPU and memory.',
  'x-kubernetes-preserve-unknown-fields': true,
} as const;

export const alb2Kind = {
  group: alaudaGroup,
  version: 'v2beta1',
  kind: 'ALB2',
  plural: 'alaudaloadbalancer2',
  singular: 'alaudaloadbalancer2',
  shortNames: ['alb2'],
  namespaced: true,
  summary:
    'an instance of ALB, read as one of ours: its Frontends and Rules are served by pods of its own. docs/alb-kinds.md says what of each field.',
  spec: {
    type: 'object',
    description: 'Where it runs, and for whom.',
    properties: {
      address: text('Addresses that are asked for, with commas between them.'),
      type: { type: 'string', enum: ['nginx'], description: '`nginx`.' },
      config: {
        type: 'object',
        description: 'How it runs.',
        // As upstream has it: other versions know other fields.
        'x-kubernetes-preserve-unknown-fields': true,
        properties: {
          ...settingsProperties,
          replicas: number('How many pods.'),
          networkMode: text('`host` or `container`.'),
          nodeSelector: {
            type: 'object',
            description: 'Labels of the nodes that it runs on.',
            additionalProperties: { type: 'string' },
          },
          vip: {
            type: 'object',
            description: 'Its Service.',
            'x-kubernetes-preserve-unknown-fields': true,
            properties: {
              enableLbSvc: { type: 'boolean', description: 'It has one of type LoadBalancer.' },
              lbSvcAnnotations: {
                type: 'object',
                description: 'Annotations of the Service.',
                additionalProperties: { type: 'string' },
              },
            },
          },
          resources: resourcesSchema,
          projects: {
            type: 'array',
            description:
              'Whose Ingresses it serves: of namespaces with these in the label `cpaas.io/project`. `ALL_ALL`: of all.',
            items: { type: 'string' },
          },
          defaultIngressClass: {
            type: 'boolean',
            description: 'Whether Ingresses without a class are for it.',
          },
          ingressHTTPPort: number('Port of Ingresses without TLS. 0: none.'),
          ingressHTTPSPort: number('Port of Ingresses with TLS. 0: none.'),
          ingressSSLRedirect: {
            type: 'boolean',
            description: 'Every request to ingressHTTPPort is redirected to https.',
          },
          defaultSSLCert: text('Secret, `NAMESPACE/NAME`, where Frontends name none.'),
        },
      },
    },
  },
  status: {
    type: 'object',
    'x-kubernetes-preserve-unknown-fields': true,
    properties: {
      state: text('`Running`, `Progressing`, `Pending` or `Warning`.'),
      reason: text('Why.'),
      probeTime: { type: 'integer', format: 'int64', description: 'Not written by us.' },
      detail: {
        type: 'object',
        'x-kubernetes-preserve-unknown-fields': true,
        properties: {
          address: {
            type: 'object',
            description: 'Its addresses.',
            properties: {
              ok: { type: 'boolean', description: 'It has what it needs.' },
              msg: text('What it has, or lacks.'),
              ipv4: { type: 'array', items: { type: 'string' } },
              ipv6: { type: 'array', items: { type: 'string' } },
              host: { type: 'array', items: { type: 'string' } },
            },
          },
        },
      },
    },
  },
  columns: [
    { name: 'manually-address', type: 'string', jsonPath: '.spec.address' },
    { name: 'allocated-address', type: 'string', jsonPath: '.status.detail.address.msg' },
    { name: 'state', type: 'string', jsonPath: '.status.state' },
    { name: 'reason', type: 'string', jsonPath: '.status.reason' },
    { name: 'mode', type: 'string', jsonPath: '.spec.config.networkMode' },
  ],
} as const;

export type ALB2 = ObjectOf<typeof alb2Kind>;
