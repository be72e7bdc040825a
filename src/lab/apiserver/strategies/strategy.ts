/** What a kind does on top of its schema when its objects are written; looked up by table. */
import type { KubeObject } from '#api/object.ts';
import type { Context, WriteOptions } from '../context.ts';
import type { FieldProblem, ServedKind } from '../types.ts';

/** One write of an object; `old` on updates. */
export type Writing = {
  readonly context: Context;
  readonly kind: ServedKind;
  readonly old: KubeObject | undefined;
  readonly options: WriteOptions;
};

export type Strategy = {
  /** `metadata.generation` counts changes of everything but metadata and status. */
  readonly generation?: boolean;
  /** Status may be set on creation; others start without. */
  readonly keepsStatusOnCreate?: boolean;
  /** Before schema validation, on an object whose fields may have any type: envelope and metadata only. */
  readonly prepare?: (object: KubeObject, writing: Writing) => KubeObject;
  /** After schema validation and defaulting: fills what only the server knows. May throw StatusError. Not for /status. */
  readonly complete?: (object: KubeObject, writing: Writing) => Completed;
};

export type Completed = { readonly value: KubeObject; readonly problems: readonly FieldProblem[] };
