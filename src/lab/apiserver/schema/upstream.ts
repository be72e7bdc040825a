/** For tests: the upstream CRDs that stand beside the checkout, and objects that they must accept or refuse. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import type { KubeObject } from '#api/object.ts';
import type { Schema } from '../types.ts';

export const upstreamDirectory = new URL('../../../../../shared/crds', import.meta.url).pathname;

/** Why tests over the upstream CRDs can't run; `undefined` when they can. */
export const missing = existsSync(upstreamDirectory) ? undefined : `no upstream CRDs at ${upstreamDirectory}`;

/** Every file's path below the root, with its objects. */
export function upstreamFiles(): readonly {
  readonly path: string;
  readonly objects: readonly KubeObject[];
}[] {
  if (missing !== undefined) return [];
  const files = readdirSync(upstreamDirectory, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.yaml'),
  );
  return files.sort().map((path) => ({ path, objects: readObjects(path) }));
}

export function readObjects(path: string): readonly KubeObject[] {
  const text = readFileSync(join(upstreamDirectory, path), 'utf8');
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubeObject | null)
    .filter((each) => each !== null);
}

export type Examples = {
  /** Below the root. */
  readonly crd: string;
  readonly base: KubeObject;
  /** Values that must be there after the base was admitted, by dotted path. */
  readonly defaults?: Readonly<Record<string, unknown>>;
  readonly cases: readonly {
    readonly name: string;
    /** Merge patches of the base's spec and metadata. */
    readonly spec?: object;
    readonly metadata?: object;
    /** Fields with a part of their message: these and no others. */
    readonly problems?: Readonly<Record<string, string>>;
  }[];
};

export function examples(): readonly (readonly [string, Examples])[] {
  const directory = new URL('./testdata', import.meta.url).pathname;
  const files = readdirSync(directory).filter((each) => each.endsWith('.yaml'));
  return files.sort().map((file) => [file, parse(readFileSync(join(directory, file), 'utf8')) as Examples]);
}

/** What is said otherwise on purpose; and, of an operator that is none and a condition's texts, more is refused. */
const words = new Set(['description', 'x-kubernetes-validations', 'pattern']);
const stricter = new Set(['operator', 'reason', 'type']);

/** Constraints of a schema, by path. */
export function facts(schema: Schema, path = ''): readonly string[] {
  const { properties = {}, items, additionalProperties, ...own } = schema;
  const here = Object.entries(own).flatMap(([keyword, value]) => {
    if (words.has(keyword)) return [];
    if (keyword === 'enum' && stricter.has(path.split('.').at(-1) ?? '')) return [];
    const sorted =
      keyword === 'required' ? (value as string[]).filter((name) => name !== 'metadata').toSorted() : value;
    return [`${path} ${keyword}: ${JSON.stringify(sorted)}`];
  });
  const rules = (own['x-kubernetes-validations'] as unknown[] | undefined) ?? [];
  return [
    ...here,
    ...(rules.length === 0 ? [] : [`${path}: ${rules.length} rules`]),
    ...Object.entries(properties).flatMap(([name, child]) => facts(child, `${path}.${name}`)),
    ...(items === undefined ? [] : facts(items, `${path}[]`)),
    ...(typeof additionalProperties === 'object' ? facts(additionalProperties, `${path}{}`) : []),
  ];
}
