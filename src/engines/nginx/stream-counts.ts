/** What nginx's stream part counted: connections that aren't HTTP's, by route. */
import { connect } from 'node:net';

export type StreamCount = {
  /** `KIND/NAMESPACE/NAME`; `other`: more routes than are told apart; '': none took the connection. */
  readonly route: string;
  /** Connections that ended; of UDP: sessions. */
  readonly served: number;
  /** The endpoint whose turn it was couldn't be reached. */
  readonly failed: number;
  /** There was nothing to send them to. */
  readonly refused: number;
  /** Bytes from clients and to them. */
  readonly received: number;
  readonly sent: number;
};

type Counter = Exclude<keyof StreamCount, 'route'>;

/** Rejects while nginx doesn't answer at `socket`. */
export async function readStreamCounts(socket: string): Promise<readonly StreamCount[]> {
  return parseStreamCounts(await readAll(socket));
}

export function parseStreamCounts(text: string): StreamCount[] {
  const counts = new Map<string, Record<Counter, number>>();
  for (const [key, value] of JSON.parse(text) as [string, number][]) {
    const cut = key.lastIndexOf(' ');
    const route = key.slice(0, cut);
    const count = counts.get(route) ?? { served: 0, failed: 0, refused: 0, received: 0, sent: 0 };
    const what = key.slice(cut + 1);
    if (what in count) count[what as Counter] = value;
    counts.set(route, count);
  }
  return [...counts].map(([route, count]) => ({ route, ...count }));
}

function readAll(socket: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const connection = connect(socket);
    const chunks: Buffer[] = [];
    connection.setTimeout(5_000, () => connection.destroy(new Error('nginx does not answer')));
    connection.on('data', (chunk) => chunks.push(chunk));
    connection.on('error', reject);
    connection.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
  });
}
