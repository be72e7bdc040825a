/** What the five kinds of routes have in common: names, backends, matches, and what the connection-level ones are but for that. */
import {
  ageColumn,
  gatewayRelease,
  groupSchema,
  hostnameSchema,
  kindSchema,
  otherNamespaceSchema,
  portSchema,
  referencedNameSchema,
  sectionSchema,
  supersededBy,
  uniqueRuleNames,
  useDefaultGatewaysSchema,
} from './gatewayparts.ts';
import { parentReferencesSchema, routeStatusSchema } from './gatewaystatus.ts';

/** A port, or whatever takes connections in another namespace too. */
export const backendSchemas = {
  group: { ...groupSchema, default: '' },
  kind: { ...kindSchema, default: 'Service' },
  name: referencedNameSchema,
  namespace: otherNamespaceSchema,
  port: portSchema('Port of the Service (not of its pods).'),
} as const;

export const needsPort = {
  rule: "(size(self.group) == 0 && self.kind == 'Service') ? has(self.port) : true",
  message: 'a Service needs a port',
} as const;

const weightSchema = {
  type: 'integer',
  format: 'int32',
  description: 'Its share is this part of the sum of all weights. 0: it gets nothing.',
  default: 1,
  minimum: 0,
  maximum: 1_000_000,
} as const;

/** Services by weight. `more`: what else each may say. */
export const backendRefsSchema = <const More extends object>(description: string, more: More) =>
  ({
    type: 'array',
    description,
    maxItems: 16,
    'x-kubernetes-list-type': 'atomic',
    items: {
      type: 'object',
      required: ['name'],
      'x-kubernetes-validations': [needsPort],
      properties: { ...backendSchemas, weight: weightSchema, ...more },
    },
  }) as const;

export const ruleNameSchema = sectionSchema('For people, and for policies that are for one rule.');

/** At most sixteen hostnames of a route above connections. */
export const hostnamesSchema = {
  type: 'array',
  description: 'Only requests for these names. Missing: for all that the listener has.',
  maxItems: 16,
  'x-kubernetes-list-type': 'atomic',
  items: hostnameSchema('A name; `*.` before it: all names below.'),
} as const;

export const headerNamePattern = "^[A-Za-z0-9!#$%&'*+\\-.^_\\x60|~]+$";
export const headerValuePattern = '^[!-~]+([\\t ]?[!-~]+)*$';

/** Values that are looked for by name: all of the entries must hold. */
export const valuesSchema = <const Value extends object>(description: string, value: Value) =>
  ({
    type: 'array',
    description,
    maxItems: 16,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
    items: {
      type: 'object',
      required: ['name', 'value'],
      properties: {
        name: {
          type: 'string',
          description: 'Its name.',
          minLength: 1,
          maxLength: 256,
          pattern: headerNamePattern,
        },
        type: {
          type: 'string',
          description:
            '`RegularExpression`: PCRE2 without lookaround and backreferences; all of the value must match.',
          default: 'Exact',
          enum: ['Exact', 'RegularExpression'],
        },
        value: { type: 'string', description: 'What it must be.', minLength: 1, ...value },
      },
    },
  }) as const;

/** No more than 128 matches in all: CEL can't sum over a list of any length. */
export const fewMatches = (optional: boolean) => ({
  rule: `${Array.from({ length: 16 }, (_, index) => {
    const size = `self[${index}].matches.size()`;
    const known = optional ? `(has(self[${index}].matches) ? ${size} : 0)` : size;
    return `(self.size() > ${index} ? ${known} : 0)`;
  }).join(' + ')} <= 128`,
  message: 'a route can have 128 matches in all of its rules',
});

/** Of HTTPRoute and GRPCRoute. */
export const requestColumns = [
  { name: 'Hostnames', type: 'string', jsonPath: '.spec.hostnames' },
  ageColumn,
] as const;

/** Fields of every route's spec. */
export const routeSchemas = {
  parentRefs: parentReferencesSchema,
  useDefaultGateways: useDefaultGatewaysSchema,
} as const;

const connectionRules = {
  type: 'array',
  description: 'Where connections go.',
  minItems: 1,
  maxItems: 1,
  'x-kubernetes-list-type': 'atomic',
  items: {
    type: 'object',
    required: ['backendRefs'],
    properties: {
      name: ruleNameSchema,
      backendRefs: {
        ...backendRefsSchema(
          'Services, by weight. What can’t be resolved closes its share of connections.',
          {},
        ),
        minItems: 1,
      },
    },
  },
} as const;

/** Versions before v1 had up to sixteen rules, of which the first is served. */
const oldRules = {
  ...connectionRules,
  maxItems: 16,
  'x-kubernetes-validations': [uniqueRuleNames],
} as const;

export const connectionSpec = <const Names extends { readonly hostnames?: object }>(names: Names) => {
  const required = 'hostnames' in names ? ['hostnames', 'rules'] : ['rules'];
  const spec = { type: 'object', description: 'Whose connections, and where they go.', required } as const;
  return { ...spec, properties: { ...routeSchemas, ...names, rules: connectionRules } } as const;
};

/** An older version of a route of connections. */
export const oldConnectionRoute = (kind: string, name: string, names: object = {}) => ({
  name,
  deprecated: supersededBy(kind, name),
  spec: {
    type: 'object',
    required: ['rules'],
    properties: { ...routeSchemas, ...names, rules: oldRules },
  },
});

/** Of all routes of connections. */
export const connectionRoute = {
  ...gatewayRelease,
  status: routeStatusSchema,
  columns: [ageColumn],
} as const;
