/** What the server's parts agree on: a served kind, its schema, and problems that name a field. */
import type { KubeObject, ResourceType } from '#api/object.ts';

/**
 * A structural schema (apiextensions.k8s.io/v1 JSONSchemaProps) as plain JSON, for built-in kinds and CRDs alike.
 * Built-in kinds also carry `x-kubernetes-patch-merge-key` and `x-kubernetes-patch-strategy`.
 */
export type Schema = {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly nullable?: boolean;
  readonly [keyword: string]: unknown;
};

/** A column of `kubectl get`, as in CRD additionalPrinterColumns; `cell` is for built-in kinds whose cells are computed. */
export type PrinterColumn = {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: string;
  readonly description?: string;
  /** 0: always; above: `-o wide` only. */
  readonly priority: number;
  readonly jsonPath?: string;
  readonly cell?: (object: KubeObject, now: number) => string | number | boolean | null;
};

export type ScalePaths = {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  readonly labelSelectorPath?: string;
};

/** One version of a kind as the server serves it. */
export type ServedKind = ResourceType & {
  readonly singular: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly storageVersion: string;
  readonly schema: Schema;
  /** Status is changed only through `/status`, and `/status` changes nothing else. */
  readonly hasStatus: boolean;
  readonly scale?: ScalePaths;
  readonly columns: readonly PrinterColumn[];
  /** Unknown fields: built-in kinds and CRDs prune; `x-kubernetes-preserve-unknown-fields` in the schema keeps. */
  readonly fromCrd: boolean;
  /** Paths such as `spec.color` that field selectors may use, beside metadata.name and metadata.namespace. */
  readonly selectableFields?: readonly string[];
  /** The CRD is being deleted: objects can't be created any more. */
  readonly terminating?: boolean;
  /** Sent as a Warning header whenever such an object is written, for what is stored but not enforced. */
  readonly warning?: string;
};

/** One refusal, as in metav1.Status details.causes. */
export type FieldProblem = {
  readonly reason:
    | 'FieldValueInvalid'
    | 'FieldValueRequired'
    | 'FieldValueNotSupported'
    | 'FieldValueForbidden'
    | 'FieldValueDuplicate'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany'
    | 'FieldValueTypeInvalid';
  /** For example `spec.ports[0].port`. */
  readonly field: string;
  readonly message: string;
};
