/** What the schemas of Gateway API's kinds have in common. The facts are upstream's experimental channel, the words ours. */
import { labelSelectorSchema } from '../kind.ts';

export const gatewayGroup = 'gateway.networking.k8s.io';

/** What all definitions of the release have. */
export const gatewayRelease = {
  group: gatewayGroup,
  version: 'v1',
  namespaced: true,
  shortNames: [],
  categories: ['gateway-api'],
  approval: 'https://github.com/kubernetes-sigs/gateway-api/pull/4530',
  annotations: {
    [`${gatewayGroup}/bundle-version`]: 'v1.6.1',
    [`${gatewayGroup}/channel`]: 'experimental',
  },
} as const;

/** What a client that uses an older version is told. */
export const supersededBy = (kind: string, version: string): string =>
  `${version} of ${kind} will go in a later release of Gateway API; use v1.`;

export const ageColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' } as const;

/** A column that shows one condition. */
export const conditionColumn = <const Name extends string>(name: Name) =>
  ({ name, type: 'string', jsonPath: `.status.conditions[?(@.type=="${name}")].status` }) as const;

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
export const subdomain = `${label}(\\.${label})*`;
/** What stands behind the `/` of a controller's name and the like. */
export const domainPath = `${subdomain}\\/[A-Za-z0-9\\/\\-._~%!$&'()*+,;=:]+`;

export const nameSchema = (description: string) =>
  ({ type: 'string', description, minLength: 1, maxLength: 253 }) as const;

/** A name that is a DNS subdomain: of listeners, rules and sections. */
export const sectionSchema = (description: string) =>
  ({ ...nameSchema(description), pattern: `^${subdomain}$` }) as const;

export const hostnameSchema = (description: string) =>
  ({ ...nameSchema(description), pattern: `^(\\*\\.)?${subdomain}$` }) as const;

export const preciseHostnameSchema = sectionSchema;

export const controllerNameSchema = (description: string) =>
  ({ ...nameSchema(description), pattern: `^${domainPath}$` }) as const;

export const namespaceSchema = (description: string) =>
  ({ type: 'string', description, minLength: 1, maxLength: 63, pattern: `^${label}$` }) as const;

export const portSchema = (description: string) =>
  ({ type: 'integer', format: 'int32', minimum: 1, maximum: 65_535, description }) as const;

export const groupSchema = {
  type: 'string',
  description: 'API group; empty is the core group.',
  maxLength: 253,
  pattern: `^$|^${subdomain}$`,
} as const;

export const kindSchema = {
  type: 'string',
  description: 'Kind of the object.',
  minLength: 1,
  maxLength: 63,
  pattern: '^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$',
} as const;

/** Group and kind that a reference need not say. */
export const gatewayKindSchemas = {
  group: { ...groupSchema, default: gatewayGroup },
  kind: { ...kindSchema, default: 'Gateway' },
} as const;

export const referencedNameSchema = nameSchema('Name of the object.');
export const otherNamespaceSchema = namespaceSchema(
  'Default: the namespace of the object that says it. For another one a ReferenceGrant there must allow it.',
);

/** An object of the same namespace. */
export const localReferenceSchema = (description: string) =>
  ({
    type: 'object',
    description,
    required: ['group', 'kind', 'name'],
    properties: { group: groupSchema, kind: kindSchema, name: referencedNameSchema },
  }) as const;

/** An object of any kind and namespace. */
export const objectReferenceSchema = (description: string) =>
  ({
    type: 'object',
    description,
    required: ['group', 'kind', 'name'],
    properties: {
      group: groupSchema,
      kind: kindSchema,
      name: referencedNameSchema,
      namespace: otherNamespaceSchema,
    },
  }) as const;

export const secretReferenceSchema = (description: string) =>
  ({
    type: 'object',
    description,
    required: ['name'],
    properties: {
      group: { ...groupSchema, default: '' },
      kind: { ...kindSchema, default: 'Secret' },
      name: referencedNameSchema,
      namespace: otherNamespaceSchema,
    },
  }) as const;

/** Texts by key that nobody but the implementation knows. */
export const optionsSchema = (description: string) =>
  ({
    type: 'object',
    description,
    maxProperties: 16,
    additionalProperties: { type: 'string', minLength: 0, maxLength: 4096 },
  }) as const;

export const selectorSchema = (description: string) => {
  const schema = labelSelectorSchema(description);
  const { matchLabels, matchExpressions } = schema.properties;
  const { items } = matchExpressions;
  const properties = { ...items.properties, operator: { type: 'string' } } as const;
  return {
    ...schema,
    'x-kubernetes-map-type': 'atomic',
    properties: { matchLabels, matchExpressions: { ...matchExpressions, items: { ...items, properties } } },
  } as const;
};

/** How long, by GEP-2257. */
export const durationSchema = (description: string) =>
  ({ type: 'string', description, pattern: '^([0-9]{1,5}(h|m|s|ms)){1,4}$' }) as const;

const unset = (object: string, field: string, none: string) =>
  `(!has(${object}.${field}) || ${object}.${field} == ${none})`;

const both = 'p1.group == p2.group && p1.kind == p2.kind && p1.name == p2.name';

/** In rules over pairs `p1`, `p2` of references. */
export const pairs = {
  sameTarget: both,
  same: (field: string, none = "''") =>
    `((${unset('p1', field, none)} && ${unset('p2', field, none)}) || ` +
    `(has(p1.${field}) && has(p2.${field}) && p1.${field} == p2.${field}))`,
  bothOrNone: (field: string, none = "''") => `${unset('p1', field, none)} == ${unset('p2', field, none)}`,
} as const;

/** A rule may have a name, and no two of a route the same. */
export const uniqueRuleNames = {
  rule: 'self.all(l1, !has(l1.name) || self.exists_one(l2, has(l2.name) && l1.name == l2.name))',
  message: 'two rules of a route have one name',
} as const;

export const useDefaultGatewaysSchema = {
  type: 'string',
  description: '`All`: it is attached to default Gateways, too; see spec.defaultScope of Gateway.',
  enum: ['All', 'None'],
} as const;
