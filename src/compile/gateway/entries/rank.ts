/**
 * Which of the rules that take a request at the same host and path comes first: the specification's order as text that sorts in byte
 * order, so that a data plane compares without knowing the specification.
 */
import type { GRPCMatchModel, GRPCRouteModel, HTTPMatchModel, HTTPRouteModel } from '#model/gateway/types.ts';

/** Where a match stands in its route. */
export type MatchPlace = { readonly rule: number; readonly match: number };

/**
 * Unique among all matches of all routes: calls (`g`) before requests (`h`), which share no listener's host anyway. Routes that were made of
 * something else bring a rank of their own.
 */
export function rankOf(
  route: HTTPRouteModel | GRPCRouteModel,
  match: HTTPMatchModel | GRPCMatchModel,
  { rule, match: index }: MatchPlace,
): string {
  const specific = route.rank ?? ('path' in match ? requestRank(match) : callRank(match));
  // A space sorts before all that a name may have: `a/b` comes before `a/b-c`.
  return `${specific} ${route.created} ${route.key} ${digits(rule)}.${digits(index)}`;
}

/** With a method before without; then the more headers, then the more query parameters. An Ingress's expressions are by their length, too. */
function requestRank({ method, headers, query, path }: HTTPMatchModel): string {
  const length = path.loose === true ? most(path.value.length) : '';
  return `h${method === undefined ? 1 : 0}${most(headers.length)}${most(query.length)}${length}`;
}

/** The longer service, then the longer method, then the more headers. */
function callRank({ method, headers }: GRPCMatchModel): string {
  return `g${most(method?.service?.length ?? 0)}${most(method?.method?.length ?? 0)}${most(headers.length)}`;
}

/** Larger numbers come first. Services and methods have up to 1,024 characters, lists up to 16 entries. */
function most(count: number): string {
  return digits(9999 - Math.min(count, 9999));
}

function digits(count: number): string {
  return String(count).padStart(4, '0');
}
