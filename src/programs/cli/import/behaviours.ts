/**
 * Five ways of ingress-nginx that surprise those who leave it: which Ingresses of the files have to do with each, and what becomes of it.
 * (They are listed by Kubernetes' own blog of 27 February 2026.)
 */
import { readBoolean } from '#compile/ingress/annotations.ts';
import { nginxPrefix } from '#compile/ingress/catalogue/index.ts';
import { isCanary, usesRegex } from '#compile/ingress/catalogue/routing.ts';
import { nginxAnnotations } from '#compile/ingress/read-annotations.ts';
import type { IngressModel } from '#model/ingress/types.ts';
import type { Report } from './fields.ts';

/** `ingresses`: those of one class, canaries too. */
export function tellBehaviours(ingresses: readonly IngressModel[], report: Report): void {
  const byHost = new Map<string, IngressModel[]>();
  for (const ingress of ingresses)
    for (const host of new Set(ingress.rules.map((rule) => rule.host ?? '')))
      byHost.set(host, [...(byHost.get(host) ?? []), ingress]);
  for (const ingress of ingresses) {
    if (isCanary(nginxAnnotations(ingress))) continue;
    const told = { ingress, title: `Ingress ${ingress.namespace}/${ingress.name}`, report };
    for (const [index, rule] of ingress.rules.entries())
      tellOfHost({ ...told, host: rule.host ?? '', index, peers: byHost.get(rule.host ?? '') ?? [] });
    tellRewrite(told);
  }
}

type Told = { readonly ingress: IngressModel; readonly title: string; readonly report: Report };
type OfHost = Told & {
  readonly host: string;
  readonly index: number;
  readonly peers: readonly IngressModel[];
};

function tellOfHost({ ingress, title, report, host, index, peers }: OfHost): void {
  const field = `spec.rules[${index}]`;
  const shown = host === '' ? 'any host' : host;
  const makers = peers.filter(
    (peer) => usesRegex(nginxAnnotations(peer)) && !isCanary(nginxAnnotations(peer)),
  );
  const near = makers.filter(({ namespace }) => namespace === ingress.namespace);
  const isRegex = near.length > 0;
  const paths = (ingress.rules[index]?.paths ?? []).filter(({ path }) => path !== '/');
  if (isRegex && paths.length > 0)
    report.note(
      title,
      field,
      '(1) regular expressions go by no case of letters and end nowhere in ingress-nginx: printed as (?i)EXPRESSION.*, or as a prefix',
    );
  const own = usesRegex(nginxAnnotations(ingress));
  const other = near.find(({ key }) => key !== ingress.key);
  if (!own && other !== undefined)
    report.note(
      title,
      field,
      `(2) Ingress ${other.key} makes regular expressions of all paths of ${shown}: those of this one, too, stay some`,
    );
  const far = makers.find(({ namespace }) => namespace !== ingress.namespace);
  if (!own && !isRegex && far !== undefined)
    report.lost(
      title,
      field,
      `(2) Ingress ${far.key} of another namespace makes regular expressions of all paths of ${shown} in ingress-nginx: here it doesn't`,
    );
  for (const { type, path, field: at } of isRegex ? [] : paths) {
    if (!path.endsWith('/')) {
      if (type === 'ImplementationSpecific')
        report.lost(
          title,
          `${at}.path`,
          `takes any path that begins so in ingress-nginx: here ${path} and what is below it, as Prefix`,
        );
      continue;
    }
    const short = path.slice(0, -1);
    report.lost(
      title,
      `${at}.path`,
      type === 'Exact'
        ? `(4) ${short} is redirected to ${path} (301) by ingress-nginx: here it is another path`
        : `(4) ${short} is redirected to ${path} (301) by ingress-nginx: here it is served like ${path}`,
    );
  }
  for (const { path, field: at } of paths) {
    const isStrange = /\/\/|\/\.{1,2}(?:\/|$)|%/.test(path);
    if (isRegex ? isStrange : isStrange && !path.includes('%'))
      report.lost(
        title,
        `${at}.path`,
        `(5) paths of requests are normalised before they are matched (no //, . or ..; here %2F stays as it is): ${path} matches none`,
      );
  }
  if (paths.some(({ type }) => isRegex || type === 'Exact'))
    report.note(
      title,
      field,
      '(5) paths of requests are normalised before they are matched (//, . and ..), as in ingress-nginx: other gateways may differ',
    );
}

function tellRewrite({ ingress, title, report }: Told): void {
  const get = nginxAnnotations(ingress);
  if (get('rewrite-target') === undefined || readBoolean(get('use-regex')) === true) return;
  report.note(
    title,
    `metadata.annotations[${nginxPrefix}rewrite-target]`,
    '(3) it makes regular expressions of all paths of its hosts, without use-regex: they stay some',
  );
}
