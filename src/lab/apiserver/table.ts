/** Objects as rows: what `kubectl get` prints (meta.k8s.io/v1 Table), and objects with their metadata only. */
import type { KubeObject } from '#api/object.ts';
import { ageColumn, wide } from './column.ts';
import { builtinColumns } from './columns.ts';
import { age } from './duration.ts';
import { jsonPath } from './jsonpath.ts';
import { tableOf } from './kinds.ts';
import type { PrinterColumn, ServedKind } from './types.ts';

type Cell = string | number | boolean | null;

const nameColumn: PrinterColumn = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  priority: 0,
  cell: (object) => object.metadata.name,
};

/** A Table of objects in the kind's version. `includeObject` in the query says what each row carries. */
export function tableOfObjects(
  kind: ServedKind,
  objects: readonly KubeObject[],
  metadata: Record<string, unknown>,
  query: URLSearchParams,
  withColumns = true,
): object {
  const now = Date.now();
  const columns = columnsOf(kind);
  const include = query.get('includeObject') ?? 'Metadata';
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: withColumns
      ? columns.map(({ name, type, format, description, priority }) => ({
          name,
          type,
          format: format ?? '',
          description: description ?? '',
          priority,
        }))
      : null,
    rows: objects.map((object) => ({
      cells: columns.map((column) => cellOf(column, object, now)),
      ...(include === 'None' ? {} : { object: include === 'Object' ? object : metadataOnly(object) }),
    })),
  };
}

export function metadataOnly(object: KubeObject): KubeObject {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
}

function columnsOf(kind: ServedKind): readonly PrinterColumn[] {
  if (kind.columns.length > 0) return [nameColumn, ...kind.columns];
  // An event's name says nothing; it comes last, when asked for.
  if (tableOf(kind) === '/events') return [...(builtinColumns('/events') ?? []), wide(nameColumn)];
  return [nameColumn, ...(builtinColumns(tableOf(kind)) ?? [ageColumn])];
}

function cellOf(column: PrinterColumn, object: KubeObject, now: number): Cell {
  if (column.cell !== undefined) return column.cell(object, now);
  const values = jsonPath(column.jsonPath ?? '', object);
  const [value] = values;
  if (value === undefined) return null;
  switch (column.type) {
    case 'date':
      return typeof value === 'string' ? age(value, now) : '<invalid>';
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : numberOrNull(value);
    case 'number':
      return numberOrNull(value);
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    default:
      return values.map((each) => (typeof each === 'string' ? each : JSON.stringify(each))).join(' ');
  }
}

function numberOrNull(value: unknown): number | null {
  const number = typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN;
  return Number.isNaN(number) ? null : number;
}
