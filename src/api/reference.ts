/** The reference page of our kinds, in Markdown, from the same definitions as the CRDs. */
import type { KindDefinition } from './kind.ts';

type Node = {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly required?: readonly string[];
};

const intro =
  'Printed from `src/api/kinds`; a test keeps it true. Kinds of `policy.networking.k8s.io` are those of the Network Policy API, kinds of ' +
  '`metallb.io` those of MetalLB: Netloom installs them where a cluster has none, and leaves definitions that are there already as they are.';

/** One section a kind; a row a field, a label selector being one. */
export function referencePage(kinds: readonly KindDefinition[]): string {
  const sections = kinds.map((kind) =>
    [
      `## ${kind.kind}`,
      '',
      `\`${kind.group}/${kind.version}\`, ${kind.namespaced ? 'namespaced' : 'cluster-wide'}${shortNames(kind)}.${olderVersions(kind)}`,
      '',
      kind.summary,
      '',
      '| field | type | default | meaning |',
      '|---|---|---|---|',
      ...rows('spec', kind.spec as Node),
      ...rows('status', kind.status as Node),
      '',
    ].join('\n'),
  );
  return ['# Kinds', '', intro, '', ...sections].join('\n');
}

function shortNames({ shortNames }: KindDefinition): string {
  return shortNames.length === 0 ? '' : `; short name \`${shortNames.join('`, `')}\``;
}

function olderVersions({ olderVersions: versions = [] }: KindDefinition): string {
  return versions.length === 0 ? '' : ` Version \`${versions.join('`, `')}\` is served, too.`;
}

function rows(path: string, node: Node): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const field = `${path}.${name}`;
    const required = node.required?.includes(name) ?? false;
    if (isSelector(child)) return [row(field, { ...child, type: 'label selector' }, required)];
    if (child.items !== undefined && isSelector(child.items))
      return [row(field, { ...child, items: { type: 'label selector' } }, required)];
    const inner = child.items?.properties === undefined ? child : child.items;
    const suffix = child.type === 'array' ? '[]' : '';
    return [row(field, child, required), ...rows(field + suffix, inner)];
  });
}

function isSelector(node: Node): boolean {
  return node.properties?.['matchExpressions'] !== undefined;
}

function row(field: string, node: Node, required: boolean): string {
  const type = node.type === 'array' ? `${node.items?.type ?? 'any'}[]` : (node.type ?? 'any');
  const choices =
    node.enum === undefined ? '' : `: ${node.enum.map((value) => `\`${String(value)}\``).join(', ')}`;
  const fallback =
    node.default === undefined ? (required ? 'required' : '') : `\`${JSON.stringify(node.default)}\``;
  return `| \`${field}\` | ${type}${choices} | ${fallback} | ${node.description ?? ''} |`;
}
