/** Canaries: what an Ingress says as a part of another one, and what the other one becomes by it. */

import { isToken } from '#model/gateway/headers.ts';
import type { TrafficPolicyModel, TrafficSettings } from '#model/gateway/policy-types.ts';
import { regexPart, regexProblem } from '#model/gateway/regex.ts';
import type { IngressModel } from '#model/ingress/types.ts';
import { type Annotations, readNumber, shown } from './annotations.ts';
import { backendOf } from './backends.ts';
import { nginxPrefix } from './catalogue/index.ts';
import { isCanary } from './catalogue/routing.ts';
import { createPlace, derivedObject, gatewayGroup, type Place } from './place.ts';
import { nginxAnnotations } from './read-annotations.ts';
import { type IngressPath, mainNeighbours, type Site } from './sites.ts';
import type { IngressContext, IngressFinding } from './types.ts';

type Canary = NonNullable<TrafficSettings['canaries']>[number];
type Condition = Omit<Canary, 'backends'>;

/** Policies for rules of a route that have a canary: of several Ingresses for one path the oldest. */
export function canaryPolicies(
  site: Site,
  paths: readonly (readonly [path: IngressPath, rule: string])[],
  route: { readonly name: string; readonly suffix: string },
  place: Place,
): readonly TrafficPolicyModel[] {
  const canaries = place.context.peers(site.host).filter((peer) => isCanary(nginxAnnotations(peer)));
  if (canaries.length === 0 || place.closed || place.effects.redirect !== undefined) return [];
  return paths.flatMap(([path, rule]) => {
    const found = canaries.flatMap((canary) => {
      const own = pathLike(canary, site.host, path);
      return own === undefined ? [] : [{ canary, own }];
    })[0];
    if (found === undefined) return [];
    const { condition } = conditionOf(nginxAnnotations(found.canary));
    // Its own problems are said of it, not of this one.
    const quiet = createPlace(place.ingress, place.context, { ...place, findings: [] });
    const backend = backendOf(found.own.backend, `${found.own.field}.backend`, quiet);
    if (condition === undefined || backend === undefined) return [];
    return [
      {
        ...derivedObject(place.ingress, `${route.suffix}~canary~${rule}`),
        targets: [{ group: gatewayGroup, kind: 'HTTPRoute', name: route.name, section: rule }],
        enforced: false,
        settings: { canaries: [{ ...condition, backends: [backend] }] },
      },
    ];
  });
}

/** What isn't so of an Ingress that is a canary. */
export function canaryFindings(canary: IngressModel, context: IngressContext): readonly IngressFinding[] {
  const { findings } = conditionOf(nginxAnnotations(canary));
  const alone = canary.rules.flatMap(({ host = '', paths }) =>
    paths
      .filter(
        (path) => !mainNeighbours(host, context).some((peer) => pathLike(peer, host, path) !== undefined),
      )
      .map(
        ({ field }): IngressFinding => ({
          field,
          code: 'WithoutEffect',
          message: 'no Ingress of the namespace that is no canary has this host, path and type',
        }),
      ),
  );
  const silent = Object.keys(canary.annotations)
    .filter((name) => name.startsWith(nginxPrefix) && !own.test(name))
    .map(
      (name): IngressFinding => ({
        field: `metadata.annotations[${name}]`,
        code: 'WithoutEffect',
        message: 'those of the Ingress that it is a canary of hold for it',
      }),
    );
  return [...findings, ...alone, ...silent];
}

/** What a canary is heard with. */
const own = /\/(?:canary(?:-.*)?|affinity-canary-behavior)$/;

function pathLike(
  { rules }: IngressModel,
  host: string,
  { type, path }: IngressPath,
): IngressPath | undefined {
  return rules
    .filter((rule) => (rule.host ?? '') === host)
    .flatMap(({ paths }) => paths)
    .find((each) => each.type === type && each.path === path);
}

/** Undefined: nobody gets there. */
function conditionOf(get: Annotations): {
  readonly condition: Condition | undefined;
  readonly findings: readonly IngressFinding[];
} {
  const findings: IngressFinding[] = [];
  const bad = (name: string, message: string): undefined => {
    findings.push({
      field: `metadata.annotations[nginx.ingress.kubernetes.io/${name}]`,
      code: 'AnnotationRefused',
      message,
    });
    return undefined;
  };
  const header = headerOf(get, bad);
  const cookie = get('canary-by-cookie');
  const hasCookie =
    cookie !== undefined &&
    (isToken(cookie) || bad('canary-by-cookie', `${shown(cookie)} is no name of a cookie`));
  const total = Math.max(readNumber(get('canary-weight-total'), 1, 1_000_000_000) ?? 100, 100);
  const written = get('canary-weight');
  const weight =
    written === undefined
      ? undefined
      : (readNumber(written, 0, 1_000_000_000) ?? bad('canary-weight', `${shown(written)} is no number`));
  const share = weight === undefined ? 0 : Math.min(Math.round((weight * 1_000_000) / total), 1_000_000);
  const condition: Condition = {
    ...(header === undefined ? {} : { header }),
    ...(hasCookie === true && cookie !== undefined ? { cookie } : {}),
    ...(share === 0 ? {} : { share }),
  };
  return { condition: Object.keys(condition).length === 0 ? undefined : condition, findings };
}

function headerOf(
  get: Annotations,
  bad: (name: string, message: string) => undefined,
): NonNullable<Canary['header']> | undefined {
  const name = get('canary-by-header');
  if (name === undefined) return undefined;
  if (!isToken(name)) return bad('canary-by-header', `${shown(name)} is no name of a header`);
  const value = get('canary-by-header-value');
  if (value !== undefined) return { name: name.toLowerCase(), value };
  const pattern = get('canary-by-header-pattern');
  if (pattern === undefined) return { name: name.toLowerCase() };
  const problem = regexProblem(pattern);
  if (problem !== undefined) return bad('canary-by-header-pattern', `${shown(pattern)} ${problem}`);
  // It may stand anywhere in the value, unless it says where.
  const from = pattern.startsWith('^') ? '' : '.*';
  const to = pattern.endsWith('$') && !pattern.endsWith('\\$') ? '' : '.*';
  return { name: name.toLowerCase(), value: `${from}${regexPart(pattern)}${to}`, regex: true };
}
