/** Connections that were seen, one JSON object a line: `{"from": …, "to": …, "protocol": "tcp", "port": 80}`. */
import { readFile } from 'node:fs/promises';
import type { ObservedFlow } from '#compile/answers/diff.ts';
import { UsageError } from '../command.ts';

const protocols: readonly string[] = ['tcp', 'udp', 'sctp'];
/** What has no port, by the names that `netloom why` takes. */
const others: readonly string[] = ['icmp', 'icmpv6', 'other'];

/** Throws UsageError with the line that is none. */
export async function readFlows(path: string): Promise<readonly ObservedFlow[]> {
  const content = await readFile(path, 'utf8').catch((error: unknown): never => {
    throw new UsageError(`${path} can't be read: ${error instanceof Error ? error.message : String(error)}`);
  });
  return content.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const flow = parsed(line);
    if (flow !== undefined) return [flow];
    const form = '{"from": "NAMESPACE/POD, node/NAME or address", "to": …, "protocol": "tcp", "port": 80}';
    throw new UsageError(`${path}, line ${index + 1} is no connection; a line is ${form}`);
  });
}

function parsed(line: string): ObservedFlow | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { from, to, protocol, port = 0 } = value as Record<string, unknown>;
  const name = typeof protocol === 'string' ? protocol.toLowerCase() : '';
  if (typeof from !== 'string' || typeof to !== 'string') return undefined;
  if (others.includes(name)) return { from, to, protocol: 'other', port: 0 };
  const known =
    protocols.includes(name) && Number.isInteger(port) && Number(port) >= 0 && Number(port) <= 65_535;
  if (!known) return undefined;
  return { from, to, protocol: name as ObservedFlow['protocol'], port: Number(port) };
}
