/** What a kind does on top of its schema when its objects are written; looked up by table. */
import type { KubeObject } from '#api/object.ts';
import type { Context, WriteOptions } from '../context.ts';
import type { FieldProblem, ServedKind } from '../types.ts';

export type Strategy = {
  /** `metadata.generation` counts changes of everything but metadata and status. */
  readonly generation?: boolean;
  /** Status may be set on creation; others start without. */
  readonly keepsStatusOnCreate?: boolean;
  /** Fills what only the server knows. Runs before schema validation. */
  prepareCreate?(context: Context, object: KubeObject, kind: ServedKind, options: WriteOptions): KubeObject;
  /** As prepareCreate, with the object that is replaced. Not called for writes to /status. */
  prepareUpdate?(
    context: Context,
    object: KubeObject,
    old: KubeObject,
    kind: ServedKind,
    options: WriteOptions,
  ): KubeObject;
  /** As prepareUpdate, for writes to /status. */
  prepareStatus?(context: Context, object: KubeObject, old: KubeObject): KubeObject;
  /** Problems beyond the schema; `old` on updates. Runs on defaulted objects. */
  validate?(context: Context, object: KubeObject, old: KubeObject | undefined): readonly FieldProblem[];
  /** Takes what prepare only chose, such as addresses; called once, right before the object is stored. Never throws. */
  commit?(context: Context, object: KubeObject | undefined, old: KubeObject | undefined): void;
};
