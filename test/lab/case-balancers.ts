/** Who answers for a balancer's address on the segment, and what the router was told of it. */
import { routerPaths, routerRoutes } from '#lab/router-table.ts';
import { type Family, parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import type { Answered, Routed } from '../corpus/case.ts';
import { endsOf, type Running } from './case-ends.ts';

export async function askAnswered(run: Running, check: Answered): Promise<readonly string[]> {
  const { target, by, oneOf, families } = check;
  const addresses = families.flatMap((family) => endsOf(run, target, family));
  if (addresses.length === 0) return by.length === 0 ? [] : [`${target} has no address`];
  const found = await run.neighbors.whoAnswers(addresses);
  return addresses.flatMap((address) => {
    const answering = found.get(address) ?? [];
    const right = oneOf
      ? answering.length === 1 && by.includes(answering[0] ?? '')
      : answering.join() === by.join();
    return right ? [] : [`${target} (${address}) is answered by ${answering.join(', ') || 'nobody'}`];
  });
}

export async function askRouted(run: Running, check: Routed): Promise<readonly string[]> {
  const { target, via, communities, families } = check;
  const prefixes = families.flatMap((family) => prefixesOf(run, target, family));
  if (prefixes.length === 0) return via.length === 0 ? [] : [`${target} has no address`];
  const { lab } = run.cluster;
  const routes = await routerRoutes(lab);
  const wrong = await Promise.all(
    prefixes.map(async (prefix) => {
      const has = routes.get(prefix)?.via ?? [];
      if (has.join() !== via.join()) return [`the router has ${prefix} via ${has.join(', ') || 'nobody'}`];
      if (communities === undefined) return [];
      const paths = await routerPaths(lab, prefix);
      return paths
        .filter((path) => path.communities.join() !== communities.join())
        .map((path) => `${path.node} says of ${prefix} ${path.communities.join(', ') || 'no community'}`);
    }),
  );
  return wrong.flat();
}

function prefixesOf(run: Running, target: string, family: Family): readonly string[] {
  if (parseAddr(target) === undefined && parsePrefix(target) !== undefined) return [target];
  return endsOf(run, target, family).map((address) => `${address}/${family === 4 ? 32 : 128}`);
}
