/**
 * Makes ../schema/data/protobuf.json from Kubernetes' Go types: which field number is which JSON field.
 *
 * node generate.ts DIRECTORY, where DIRECTORY holds the unpacked modules k8s.io/api@v0.32.3 and k8s.io/apimachinery@v0.32.3.
 * The facts stand in struct tags such as `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Field, Messages } from './decode.ts';

const version = 'v0.32.3';
const packages = [
  'admissionregistration/v1',
  'apps/v1',
  'authentication/v1',
  'authorization/v1',
  'autoscaling/v1',
  'batch/v1',
  'coordination/v1',
  'core/v1',
  'discovery/v1',
  'events/v1',
  'networking/v1',
  'policy/v1',
  'rbac/v1',
  'scheduling/v1',
  'storage/v1',
];

/** Types with an encoding of their own, by their name in Go. */
const special: Readonly<Record<string, string>> = {
  'meta/v1.Time': 'time',
  'meta/v1.MicroTime': 'microTime',
  'meta/v1.Duration': 'duration',
  'meta/v1.FieldsV1': 'raw',
  'runtime.RawExtension': 'raw',
  'resource.Quantity': 'quantity',
  'intstr.IntOrString': 'intOrString',
};

const scalars: Readonly<Record<string, string>> = {
  string: 'string',
  'types.UID': 'string',
  'types.NodeName': 'string',
  bool: 'bool',
  int32: 'int',
  int64: 'int',
  int: 'int',
  uint8: 'int',
  float64: 'double',
  '[]byte': 'bytes',
};

type GoType = { readonly struct: readonly GoField[] } | { readonly alias: string };
type GoField = { readonly type: string; readonly json: string; readonly protobuf: string };

const declared = new Map<string, GoType>();

function readPackage(name: string, path: string): void {
  const text = readFileSync(path, 'utf8');
  const imports = new Map<string, string>();
  for (const [, alias, target] of text.matchAll(/^\s+(\w+ )?"(k8s\.io\/[^"]+)"$/gm)) {
    const parts = target!.split('/');
    imports.set(
      (alias ?? parts.at(-1)!).trim(),
      target!.endsWith('/meta/v1') ? 'meta/v1' : parts.slice(2).join('/'),
    );
  }
  const qualify = (type: string): string => {
    const dotted = /^(\w+)\.(\w+)$/.exec(type);
    if (dotted !== null) {
      const home = imports.get(dotted[1]!) ?? dotted[1]!;
      return home.includes('/v1') ? `${home}.${dotted[2]}` : type;
    }
    return type in scalars ? type : `${name}.${type}`;
  };
  const qualifyAll = (type: string): string =>
    type.replace(/[\w.]+(?![\w.]*\[)/g, (word) => (word === 'map' || word === 'byte' ? word : qualify(word)));
  for (const [, type, body] of text.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm)) {
    const fields = [
      ...body!.matchAll(/^\t(?:\w+\s+)?([*\w.[\]]+)\s+`json:"([^"]*)"(?:[^`\n]* protobuf:"([^"]*)")?/gm),
    ];
    const struct = fields
      .filter(([, , , protobuf]) => protobuf !== undefined)
      .map(([, goType, json, protobuf]) => ({ type: qualifyAll(goType!), json: json!, protobuf: protobuf! }));
    declared.set(`${name}.${type}`, { struct });
  }
  for (const [, type, alias] of text.matchAll(/^type (\w+) ([^\s{]+)$/gm)) {
    if (alias !== 'struct') declared.set(`${name}.${type}`, { alias: qualifyAll(alias!) });
  }
}

function fieldOf({ type, json, protobuf }: GoField): readonly [string, Field] {
  const [, number, , nameTag] = protobuf.split(',');
  const [jsonName, ...flags] = json.split(',');
  const inline = flags.includes('inline');
  const pointer = type.startsWith('*');
  const keep = pointer || !flags.includes('omitempty');
  const shape = shapeOf(pointer ? type.slice(1) : type);
  const name = inline ? '' : jsonName || nameTag!.replace('name=', '');
  return [number!, [name, shape, keep ? 1 : 0]];
}

/** `string`, `[string` (a list), `{string` (a map from strings), `(string` (a named list, wrapped in a message). */
function shapeOf(type: string): string {
  const known = special[type] ?? scalars[type];
  if (known !== undefined) return known;
  if (type.startsWith('[]')) return `[${shapeOf(type.slice(2).replace(/^\*/, ''))}`;
  const map = /^map\[[^\]]+\](.+)$/.exec(type);
  if (map !== null) return `{${shapeOf(map[1]!)}`;
  const found = declared.get(type);
  if (found === undefined) throw new Error(`no type ${type}`);
  if ('struct' in found) return type;
  const shape = shapeOf(found.alias);
  return shape.startsWith('[') ? `(${shape.slice(1)}` : shape;
}

const directory = process.argv[2] ?? '.';
readPackage('meta/v1', join(directory, `k8s.io/apimachinery@${version}/pkg/apis/meta/v1/types.go`));
for (const name of packages) readPackage(name, join(directory, `k8s.io/api@${version}/${name}/types.go`));
const messages: Messages = {};
for (const [name, type] of declared) {
  if ('struct' in type && type.struct.length > 0)
    messages[name] = Object.fromEntries(type.struct.map(fieldOf));
}
const target = new URL('../schema/data/protobuf.json', import.meta.url);
writeFileSync(target, `${JSON.stringify({ source: `k8s.io/api ${version} (Apache-2.0)`, messages })}\n`);
