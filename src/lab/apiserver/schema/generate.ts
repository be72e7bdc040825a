/** Makes data/builtins.json from the public OpenAPI v3 documents of Kubernetes; run by hand at development time. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { builtinNames } from './builtin-names.ts';
import { aliases, enumFacts, looseRequired, replacedDefinitions } from './generate-facts.ts';

type Json = { readonly [key: string]: unknown };

/** Keywords that say something about values; all others (prose, codegen hints) are dropped. */
const kept = new Set([
  'type',
  'format',
  'required',
  'enum',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
  'x-kubernetes-patch-merge-key',
  'x-kubernetes-patch-strategy',
]);

/**
 * Reads `api/openapi-spec/v3/*.json` of a Kubernetes source tree and writes the definitions that the served kinds reach.
 * Usage: `node generate.ts DIRECTORY VERSION`, for example with the directory that `go mod download k8s.io/kubernetes@v1.32.3` names.
 */
export function generate(directory: string, version: string): string {
  const all = new Map<string, Json>();
  for (const file of readdirSync(directory).sort()) {
    if (!/^apis?__.*v1_openapi\.json$/.test(file)) continue;
    const document = JSON.parse(readFileSync(join(directory, file), 'utf8'));
    for (const [name, schema] of Object.entries(document.components.schemas)) all.set(name, schema as Json);
  }
  const definitions: Record<string, unknown> = {};
  const kinds = builtinNames.map((name) => {
    const found = [...all].find(([, schema]) => servesKind(schema, name));
    if (found === undefined) throw new Error(`no schema for ${name.group}/${name.version} ${name.kind}`);
    collect(found[0], all, definitions);
    return { group: name.group, version: name.version, kind: name.kind, definition: found[0] };
  });
  const sorted = Object.fromEntries(Object.entries(definitions).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify({ source: `Kubernetes ${version} api/openapi-spec/v3 (Apache-2.0)`, kinds, definitions: sorted })}\n`;
}

function servesKind(schema: Json, name: { group: string; version: string; kind: string }): boolean {
  const served = (schema['x-kubernetes-group-version-kind'] ?? []) as readonly Json[];
  return served.some(
    (each) => each.group === name.group && each.version === name.version && each.kind === name.kind,
  );
}

function collect(name: string, all: ReadonlyMap<string, Json>, into: Record<string, unknown>): void {
  if (Object.hasOwn(into, name)) return;
  const short = name.slice(name.lastIndexOf('.') + 1);
  const replaced = replacedDefinitions[short];
  into[name] = replaced ?? {};
  if (replaced !== undefined) return;
  const schema = all.get(name);
  if (schema === undefined) throw new Error(`dangling reference to ${name}`);
  into[name] = strip(schema, short, (target) => collect(target, all, into));
}

function strip(schema: Json, owner: string, follow: (name: string) => void): Json {
  const wrapped = (schema.allOf as readonly Json[] | undefined)?.[0];
  const out: Record<string, unknown> = {};
  const reference = (wrapped?.$ref ?? schema.$ref) as string | undefined;
  if (reference !== undefined) {
    const target = aliased(reference.slice(reference.lastIndexOf('/') + 1));
    follow(target);
    out.$ref = target;
  }
  for (const [key, value] of Object.entries(schema)) if (kept.has(key)) out[key] = value;
  // A zero value as default is how Go's codegen writes "not a pointer"; no such value is ever stored.
  if (schema.default && JSON.stringify(schema.default) !== '{}') out.default = schema.default;
  if (out.required !== undefined) {
    const loose = looseRequired(owner);
    const enforced = (out.required as string[]).filter((field) => !loose(field));
    if (enforced.length > 0) out.required = enforced;
    else delete out.required;
  }
  if (schema.items !== undefined) out.items = strip(schema.items as Json, '', follow);
  if (schema.additionalProperties !== undefined) {
    out.additionalProperties = strip(schema.additionalProperties as Json, '', follow);
  }
  if (schema.properties !== undefined)
    out.properties = stripProperties(schema.properties as Json, owner, follow);
  return out;
}

function aliased(name: string): string {
  const dot = name.lastIndexOf('.') + 1;
  return name.slice(0, dot) + (aliases[name.slice(dot)] ?? name.slice(dot));
}

function stripProperties(properties: Json, owner: string, follow: (name: string) => void): Json {
  const out: Record<string, unknown> = {};
  for (const [field, schema] of Object.entries(properties)) {
    const stripped: Record<string, unknown> = { ...strip(schema as Json, '', follow) };
    const values = enumFacts[`${owner}.${field}`];
    if (values !== undefined && stripped.type === 'array') {
      stripped.items = { ...(stripped.items as Json), enum: values };
    } else if (values !== undefined) stripped.enum = values;
    out[field] = stripped;
  }
  return out;
}

if (import.meta.main) {
  const [directory, version] = process.argv.slice(2);
  if (directory === undefined || version === undefined) {
    process.stderr.write('usage: node generate.ts DIRECTORY_OF_OPENAPI_V3 VERSION\n');
    process.exit(2);
  }
  writeFileSync(new URL('./data/builtins.json', import.meta.url), generate(directory, version));
}
