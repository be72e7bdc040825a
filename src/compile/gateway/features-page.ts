/** docs/gateway-api.md, in Markdown, from the same list that GatewayClasses publish. */
import { type Feature, type Field, features, fields, supportedFeatures } from './features.ts';

const intro = [
  'Gateway API v1.6.1, experimental channel: each feature by its name in the specification, and what Netloom makes of it. Printed from',
  '`src/compile/gateway/features.ts`; a test keeps it true, and every GatewayClass of Netloom’s has the same in `status.supportedFeatures`.',
].join('\n');

export function featuresPage(): string {
  const all = features.flatMap((section) => section.features);
  const optional = all.filter(({ level, name }) => level === 'extended' && !name.startsWith('Mesh'));
  const served = optional.filter(({ name }) => supportedFeatures.includes(name));
  return [
    '# Gateway API',
    '',
    intro,
    '',
    `${supportedFeatures.length} features are served. Mesh aside that is all core ones, and ${served.length} of ${optional.length} extended ones.`,
    '',
    ...features.flatMap(({ title, features: section }) => [
      `## ${title}`,
      '',
      '| feature | level | channel | | what |',
      '|---|---|---|---|---|',
      ...section.map(featureRow),
      '',
    ]),
    '## Fields without a feature of their own',
    '',
    '| field | | what |',
    '|---|---|---|',
    ...fields.map(fieldRow),
    '',
  ].join('\n');
}

function featureRow({ name, level, channel, what, refused }: Feature): string {
  return `| \`${name}\` | ${level} | ${channel} | ${verdict(refused)} | ${told(what, refused)} |`;
}

function fieldRow({ path, what, refused }: Field): string {
  return `| ${path} | ${verdict(refused)} | ${told(what, refused)} |`;
}

function verdict(refused: string | undefined): string {
  return refused === undefined ? 'done' : 'refused';
}

function told(what: string, refused: string | undefined): string {
  return refused === undefined ? what : `${what}. ${refused}`;
}
