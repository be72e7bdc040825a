/** How one of our kinds is written down: a JSON schema as data, from which its type, its CRD and its reference page are made. */
import type { XStatic } from 'typebox/schema';
import type { KubeObject, ObjectMeta, ResourceType } from './object.ts';

/** A printer column, as in apiextensions.k8s.io/v1 CustomResourceColumnDefinition. */
export type Column = {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean' | 'date';
  readonly jsonPath: string;
  readonly priority?: number;
};

/** A kind of the group `netloom.dev`, or of an API that Netloom brings along. `spec` and `status` are structural schemas. */
export type KindDefinition<Spec = unknown, Status = unknown> = ResourceType & {
  /** Versions beside `version` that are served, too. */
  readonly olderVersions?: readonly (string | OlderVersion)[];
  readonly singular: string;
  readonly shortNames: readonly string[];
  /** One sentence for the reference page and `kubectl explain`. */
  readonly summary: string;
  readonly spec: Spec;
  /** Absent: the kind has none. */
  readonly status?: Status;
  /** CEL rules over the whole object. */
  readonly rules?: readonly { readonly rule: string; readonly message: string }[];
  readonly columns: readonly Column[];
  /** Of its CustomResourceDefinition. Default of kinds of ours: `netloom`. */
  readonly categories?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Of a kind under k8s.io: where SIG Network approved it. */
  readonly approval?: string;
  /** An object without a spec is whole: its status says all, or its defaults do. */
  readonly specless?: true;
};

/** A string is one that is deprecated and has the schema of `version`. */
export type OlderVersion = {
  readonly name: string;
  /** Where it differs. */
  readonly spec?: unknown;
  /** A text: what clients are warned with instead of the usual words. Absent: it may still be used. */
  readonly deprecated?: string | true;
  /** Objects are stored in it rather than in `version`. */
  readonly stored?: true;
};

/** The object type of a definition. */
export type ObjectOf<D extends KindDefinition> = KubeObject & {
  readonly metadata: ObjectMeta;
  readonly spec: D extends { readonly specless: true } ? XStatic<D['spec']> | undefined : XStatic<D['spec']>;
  readonly status?: D extends { readonly status: infer Status } ? XStatic<Status> : never;
};

/** The group and version of everything that Netloom defines. */
export const group = 'netloom.dev';
export const version = 'v1alpha1';

/** Schema of a metav1.LabelSelector. */
export const labelSelectorSchema = (description: string) =>
  ({
    type: 'object',
    description,
    properties: {
      matchLabels: { type: 'object', additionalProperties: { type: 'string' } },
      matchExpressions: {
        type: 'array',
        'x-kubernetes-list-type': 'atomic',
        items: {
          type: 'object',
          required: ['key', 'operator'],
          properties: {
            key: { type: 'string' },
            operator: { type: 'string', enum: ['In', 'NotIn', 'Exists', 'DoesNotExist'] },
            values: { type: 'array', 'x-kubernetes-list-type': 'atomic', items: { type: 'string' } },
          },
        },
      },
    },
  }) as const;

/** The columns that every kind with conditions ends with. */
export const readyColumns = [
  { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
  { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].reason', priority: 1 },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
] as const satisfies readonly Column[];

/** Schema of `status.conditions`: metav1.Condition, one entry a type. */
export const conditionsSchema = {
  type: 'array',
  description: 'What is true of this object now; `Ready` sums it up.',
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['type'],
  items: {
    type: 'object',
    required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
    properties: {
      type: { type: 'string', maxLength: 316 },
      status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
      reason: { type: 'string', minLength: 1, maxLength: 1024 },
      message: { type: 'string', maxLength: 32768 },
      lastTransitionTime: { type: 'string', format: 'date-time' },
      observedGeneration: { type: 'integer', format: 'int64', minimum: 0 },
    },
  },
} as const;
