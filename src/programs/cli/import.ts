/** `netloom import`: objects of other networks and gateways as ours. */
import { readFile, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { parseAllDocuments, stringify } from 'yaml';
import { exitCodes, type Invocation, UsageError } from './command.ts';
import { findingLine, type Source, translate } from './import/translate.ts';

const sources: readonly string[] = ['kube-ovn', 'calico', 'ingress-nginx', 'alb'] satisfies readonly Source[];

export async function run({ operands, values, out, progress }: Invocation): Promise<number> {
  const [source = '', ...files] = operands;
  if (!sources.includes(source)) {
    throw new UsageError(`netloom import: the first word is one of ${sources.join(', ')}, not "${source}"`);
  }
  const documents: unknown[] = [];
  for (const file of files) documents.push(...(await documentsOf(file)));
  const { objects, findings } = translate(source as Source, documents);
  if (objects.length > 0) out(printed(objects).trimEnd());
  const lines = findings.map(findingLine);
  const { report } = values;
  if (typeof report === 'string') await writeFile(report, lines.map((line) => `${line}\n`).join(''));
  else for (const line of lines) progress(line);
  return findings.some(({ isNote }) => isNote !== true) ? exitCodes.failed : exitCodes.ok;
}

/** Documents with `---` between them. */
export function printed(objects: readonly object[]): string {
  return objects
    .map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }))
    .join('---\n');
}

async function documentsOf(file: string): Promise<unknown[]> {
  let content: string;
  try {
    content = file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`netloom import: ${file} can't be read: ${(error as Error).message}`);
  }
  return parseAllDocuments(content, { merge: true }).map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new UsageError(`netloom import: ${file} is no YAML: ${error.message}`);
    return document.toJS() as unknown;
  });
}
