/** WAFPolicy: the web application firewall in front of what it is attached to. */
import { group, type ObjectOf, version } from '../kind.ts';
import { attachedColumns, enforcedSchema, trafficTargetsSchema } from './attachedparts.ts';
import { nameSchema } from './gatewayparts.ts';
import { policyStatusSchema } from './gatewaystatus.ts';

export const wafPolicyKind = {
  group,
  version,
  kind: 'WAFPolicy',
  plural: 'wafpolicies',
  singular: 'wafpolicy',
  shortNames: ['waf'],
  namespaced: true,
  labels: { 'gateway.networking.k8s.io/policy': 'Inherited' },
  summary:
    'A web application firewall (ModSecurity with the Core Rule Set) looks at the requests of Gateways, listeners, ListenerSets, routes, ' +
    'Ingresses or ALBs of this namespace, and tells of attacks or blocks them.',
  spec: {
    type: 'object',
    description:
      'Whose requests, and what becomes of them. Of several levels the nearest to the request has its way, field by field; exclusions and own ' +
      'rules of all levels hold together. Changes count from the next request on.',
    required: ['targetRefs'],
    properties: {
      targetRefs: trafficTargetsSchema,
      enforced: {
        ...enforcedSchema,
        description: `${enforcedSchema.description} Exclusions of policies that are nearer do not count.`,
      },
      mode: {
        type: 'string',
        description:
          '`Block`: attacks get 403 and never reach a backend. `Detect`: they are told of and pass. `Off`: nobody looks. ' +
          'Missing at all levels: `Block`.',
        enum: ['Off', 'Detect', 'Block'],
      },
      paranoia: {
        type: 'integer',
        format: 'int32',
        description:
          'How much is taken for an attack: the paranoia level of the Core Rule Set. Above 1 expect to need exclusions. Missing at all levels: 1.',
        minimum: 1,
        maximum: 4,
      },
      threshold: {
        type: 'integer',
        format: 'int32',
        description:
          'Anomaly score from which on a request is an attack; a critical rule counts 5. Missing at all levels: 5.',
        minimum: 1,
        maximum: 10_000,
      },
      exclusions: {
        type: 'array',
        description: 'What of the rules is not asked, since it takes what is none for an attack.',
        maxItems: 64,
        'x-kubernetes-list-type': 'atomic',
        items: {
          type: 'object',
          'x-kubernetes-validations': [
            {
              rule: 'has(self.rules) || has(self.tags) || has(self.target)',
              message: 'excludes nothing; give rules, tags or target',
            },
          ],
          properties: {
            rules: {
              type: 'array',
              description: 'Ids of rules, or ranges of them: `942100`, `942000-942999`.',
              minItems: 1,
              maxItems: 64,
              'x-kubernetes-list-type': 'atomic',
              items: { type: 'string', maxLength: 15, pattern: '^[0-9]{1,7}(-[0-9]{1,7})?$' },
            },
            tags: {
              type: 'array',
              description: 'All rules with one of these tags, for example `attack-sqli`.',
              minItems: 1,
              maxItems: 64,
              'x-kubernetes-list-type': 'atomic',
              items: { type: 'string', minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9_./:-]+$' },
            },
            target: {
              type: 'string',
              description:
                'Only this is kept from the rules, for example `ARGS:comment` or `REQUEST_COOKIES:session`. Without rules and tags: from all ' +
                'rules of the Core Rule Set. Missing: the rules are not asked at all.',
              minLength: 1,
              maxLength: 160,
              pattern: '^[A-Z_]+(:[A-Za-z0-9_.\\[\\]-]{1,128})?$',
            },
          },
        },
      },
      configMapRefs: {
        type: 'array',
        description:
          'ConfigMaps of this namespace with rules of your own in `rules`: a part of SecLang (see docs/waf.md). While one is missing or has ' +
          'anything that may not be in it, requests that it was to block get 500.',
        maxItems: 8,
        'x-kubernetes-list-type': 'atomic',
        items: {
          type: 'object',
          required: ['name'],
          properties: { name: nameSchema('Name of the ConfigMap.') },
        },
      },
    },
  },
  status: policyStatusSchema,
  columns: [{ name: 'Mode', type: 'string', jsonPath: '.spec.mode' }, ...attachedColumns],
} as const;

export type WAFPolicy = ObjectOf<typeof wafPolicyKind>;
