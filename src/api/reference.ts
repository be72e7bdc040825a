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
  '`gateway.networking.k8s.io` those of Gateway API v1.6.1 (experimental channel), kinds of `metallb.io` those of MetalLB, kinds of `crd.alauda.io` those of ALB: Netloom installs ' +
  'them where a cluster has none, and leaves definitions that are there already as they are.';

/** One section a kind; a row a field, a label selector being one. What has the same schema as a field above it is told there. */
export function referencePage(kinds: readonly KindDefinition[]): string {
  const sections = kinds.map((kind) => {
    const told = new Map<Node, string>();
    return [
      `## ${kind.kind}`,
      '',
      `\`${kind.group}/${kind.version}\`, ${kind.namespaced ? 'namespaced' : 'cluster-wide'}${shortNames(kind)}.${olderVersions(kind)}`,
      '',
      kind.summary,
      '',
      '| field | type | default | meaning |',
      '|---|---|---|---|',
      ...rows('spec', kind.spec as Node, told),
      ...rows('status', (kind.status ?? {}) as Node, told),
      '',
    ].join('\n');
  });
  return ['# Kinds', '', intro, '', ...sections].join('\n');
}

function shortNames({ shortNames }: KindDefinition): string {
  return shortNames.length === 0 ? '' : `; short name \`${shortNames.join('`, `')}\``;
}

function olderVersions({ olderVersions: versions = [] }: KindDefinition): string {
  const names = versions.map((each) => (typeof each === 'string' ? each : each.name));
  return names.length === 0 ? '' : ` Version \`${names.join('`, `')}\` is served, too.`;
}

function rows(path: string, node: Node, told: Map<Node, string>): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const field = `${path}.${name}`;
    const required = node.required?.includes(name) ?? false;
    if (isSelector(child)) return [row(field, { ...child, type: 'label selector' }, required)];
    if (child.items !== undefined && isSelector(child.items))
      return [row(field, { ...child, items: { type: 'label selector' } }, required)];
    const inner = child.items?.properties === undefined ? child : child.items;
    const before = told.get(inner);
    if (before !== undefined) {
      const description = `${child.description ?? ''} Its fields are those of \`${before}\`.`.trimStart();
      return [row(field, { ...child, description }, required)];
    }
    if (inner.properties !== undefined) told.set(inner, field);
    const suffix = child.type === 'array' ? '[]' : '';
    return [row(field, child, required), ...rows(field + suffix, inner, told)];
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
