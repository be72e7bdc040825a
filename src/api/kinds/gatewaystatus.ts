/** The status of Gateway API's kinds: what controllers say of parents, ancestors and listeners. */
import {
  controllerNameSchema,
  gatewayKindSchemas,
  groupSchema,
  kindSchema,
  namespaceSchema,
  pairs,
  portSchema,
  referencedNameSchema,
  sectionSchema,
  subdomain,
} from './gatewayparts.ts';

/** metav1.Condition, at most eight of them. */
export const gatewayConditionsSchema = {
  type: 'array',
  description: 'What is true of it now, one entry a type.',
  maxItems: 8,
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['type'],
  items: {
    type: 'object',
    required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
    properties: {
      type: {
        type: 'string',
        maxLength: 316,
        pattern: `^(${subdomain}/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$`,
      },
      status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
      reason: {
        type: 'string',
        minLength: 1,
        maxLength: 1024,
        pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$',
      },
      message: { type: 'string', maxLength: 32_768 },
      lastTransitionTime: { type: 'string', format: 'date-time' },
      observedGeneration: { type: 'integer', format: 'int64', minimum: 0 },
    },
  },
} as const;

/** What a new object's status says until a controller has seen it. */
export const waiting = (...types: readonly string[]) =>
  types.map((type) => ({
    type,
    status: 'Unknown',
    reason: 'Pending',
    message: 'Waiting for controller',
    lastTransitionTime: '1970-01-01T00:00:00Z',
  }));

const parentReferenceSchema = (description: string) =>
  ({
    type: 'object',
    description,
    required: ['name'],
    properties: {
      ...gatewayKindSchemas,
      name: referencedNameSchema,
      namespace: namespaceSchema('Default: the namespace of the route. What it names must let the route in.'),
      sectionName: sectionSchema('Name of a listener of the parent. Missing: all that take the route.'),
      port: portSchema('Only listeners on this port.'),
    },
  }) as const;

const { sameTarget, same, bothOrNone } = pairs;
const namespace = '__namespace__';

export const parentReferencesSchema = {
  type: 'array',
  description: 'What it is attached to: Gateways and ListenerSets.',
  maxItems: 32,
  'x-kubernetes-list-type': 'atomic',
  'x-kubernetes-validations': [
    {
      rule:
        `self.all(p1, self.all(p2, ${sameTarget} && ${same(namespace)} ` +
        `? (${bothOrNone('sectionName')} && ${bothOrNone('port', '0')}): true))`,
      message: 'a parent that stands there twice needs sectionName or port in both',
    },
    {
      rule:
        `self.all(p1, self.exists_one(p2, ${sameTarget} && ${same(namespace)} && ` +
        `${same('sectionName')} && ${same('port', '0')}))`,
      message: 'a parent stands there twice with the same sectionName and port',
    },
  ],
  items: parentReferenceSchema('A Gateway or a ListenerSet.'),
} as const;

const decided = { ...gatewayConditionsSchema, minItems: 1 } as const;
const controllerName = controllerNameSchema('Who says it. The gateway of Netloom: `netloom.dev/gateway`.');

export const routeStatusSchema = {
  type: 'object',
  description: 'What became of it.',
  required: ['parents'],
  properties: {
    parents: {
      type: 'array',
      description: 'By parent and controller.',
      maxItems: 32,
      'x-kubernetes-list-type': 'atomic',
      items: {
        type: 'object',
        required: ['parentRef', 'controllerName', 'conditions'],
        properties: {
          parentRef: parentReferenceSchema('As in spec.parentRefs.'),
          controllerName,
          conditions: decided,
        },
      },
    },
  },
} as const;

export const policyStatusSchema = {
  type: 'object',
  description: 'What became of it.',
  required: ['ancestors'],
  properties: {
    ancestors: {
      type: 'array',
      description: 'By Gateway that it has an effect on, and controller.',
      maxItems: 16,
      'x-kubernetes-list-type': 'atomic',
      items: {
        type: 'object',
        required: ['ancestorRef', 'controllerName', 'conditions'],
        properties: {
          ancestorRef: parentReferenceSchema('The Gateway.'),
          controllerName,
          conditions: decided,
        },
      },
    },
  },
} as const;

/** Kinds of routes, in what listeners allow and support. */
export const routeKindsSchema = (description: string) =>
  ({
    type: 'array',
    description,
    maxItems: 8,
    'x-kubernetes-list-type': 'atomic',
    items: {
      type: 'object',
      required: ['kind'],
      properties: { group: { ...groupSchema, default: gatewayKindSchemas.group.default }, kind: kindSchema },
    },
  }) as const;

const listenerStatusSchema = {
  type: 'array',
  description: 'By listener.',
  maxItems: 64,
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['name'],
  items: {
    type: 'object',
    required: ['name', 'attachedRoutes', 'conditions'],
    properties: {
      name: sectionSchema('Name of the listener.'),
      supportedKinds: routeKindsSchema('Kinds of routes that it takes.'),
      attachedRoutes: { type: 'integer', format: 'int32', description: 'How many routes it takes.' },
      conditions: gatewayConditionsSchema,
    },
  },
} as const;

/** Conditions of a Gateway or a ListenerSet, and of its listeners. */
export const listeningStatusSchema = <const Properties extends object>(properties: Properties) => {
  const unknown = waiting('Accepted', 'Programmed');
  return {
    type: 'object',
    description: 'What became of it.',
    default: { conditions: unknown },
    properties: {
      conditions: { ...gatewayConditionsSchema, default: unknown },
      ...properties,
      listeners: listenerStatusSchema,
    },
  } as const;
};
