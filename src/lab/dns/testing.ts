/** For tests: the resolver without a cluster. Each line of standard input is records as JSON; each is answered with a line. */
import { createInterface } from 'node:readline';
import type { ClusterRecords } from './records.ts';
import { type Resolver, startResolver } from './unbound.ts';

const [directory = '/run/cluster-dns', ...upstreams] = process.argv.slice(2);
let resolver: Resolver | undefined;
for await (const line of createInterface({ input: process.stdin })) {
  const records = JSON.parse(line) as ClusterRecords;
  if (resolver === undefined)
    resolver = await startResolver({ directory, domain: 'cluster.local', upstreams }, records);
  else await resolver.publish(records);
  process.stdout.write('published\n');
}
resolver?.stop();
