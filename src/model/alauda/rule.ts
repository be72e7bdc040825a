/** Reads Rule. */
import type { KubeObject } from '#api/object.ts';
import { forms, gatewayObject, readHostname, readInteger, readRaw, readText } from '../gateway/fields.ts';
import { isToken } from '../gateway/headers.ts';
import { collectProblems, type Read, type Refuse } from '../problem.ts';
import { type Raw, rawOf, shown } from '../raw.ts';
import { labelOf, labelsOf } from './frontend.ts';
import { readHeaderRewrite } from './header-rewrite.ts';
import { readGroup, readNamed } from './named.ts';
import { readRedirect, readSettings } from './settings.ts';
import { refuseStrangers } from './strangers.ts';
import { readTerms } from './terms.ts';
import type { RuleModel } from './types.ts';

/** What ALB gives Rules that it makes itself. */
const standardPriority = 5;

/**
 * Without a value: one of no Frontend, one that was made for an Ingress, which is served itself, and one that takes nothing that can be told.
 */
export function readRule(object: KubeObject): Read<RuleModel> {
  const head = gatewayObject(object);
  const { problems, refuse } = collectProblems(head.origin);
  const spec = readRaw(object['spec'], 'spec', refuse);
  const { namespace } = head;
  if (rawOf(spec['source'])?.['type'] === 'ingress') return { value: undefined, problems };
  const frontend = labelOf(object, labelsOf.frontend);
  if (frontend === undefined)
    refuse(`metadata.labels[${labelsOf.frontend}]`, 'Required', "names no Frontend: the Rule is nobody's");
  const dslx = isNothing(spec['dslx']) ? olderTerms(spec, refuse) : spec['dslx'];
  const { terms, isVague, hasHosts, weight, length } = readTerms(dslx, 'spec.dslx', refuse);
  if (problems.length === 0 && terms.length === 0) refuse('spec.dslx', 'Required', 'takes nothing');
  // For which host it is must be known: it would take those of all.
  if (frontend === undefined || terms.length === 0 || !hasHosts) return { value: undefined, problems };
  refuseStrangers('Rule', spec, refuse);
  const priority = readInteger(spec['priority'], 'spec.priority', [0, 99], refuse) || standardPriority;
  const certificate = readCertificate(spec, namespace, refuse);
  const rewrite = readRewrite(spec, refuse);
  const vhost = readHostname(spec['vhost'], 'spec.vhost', forms.preciseHostname, refuse);
  const cors = spec['enableCORS'] === true ? readCORS(spec, refuse) : undefined;
  const group = readGroup(spec, namespace, 'http', refuse);
  const settings = readSettings(spec['config'], 'spec.config', object, refuse);
  const redirect = readOwnRedirect(spec, refuse);
  const alb = labelOf(object, labelsOf.alb);
  const value: RuleModel = {
    ...head,
    ...(alb === undefined ? {} : { alb }),
    frontend,
    order: { priority, weight, length },
    terms,
    isVague,
    ...(certificate === undefined ? {} : { certificate }),
    ...(rewrite === undefined ? {} : { rewrite }),
    ...(vhost === undefined ? {} : { vhost }),
    ...(cors === undefined ? {} : { cors }),
    headers: readHeaders(object, refuse),
    ...(group === undefined ? {} : { group }),
    settings: { ...settings, ...(redirect === undefined ? {} : { redirect }) },
  };
  return { value, problems };
}

/** Where ALB keeps what an Ingress's annotations said. */
export const headerAnnotations = {
  request: 'alb.rule.cpaas.io/rewrite-request',
  response: 'alb.rule.cpaas.io/rewrite-response',
} as const;

function isNothing(dslx: unknown): boolean {
  return dslx === undefined || dslx === null || (Array.isArray(dslx) && dslx.length === 0);
}

/** What Rules said before there was `dslx`: `domain` and `url`, unless `dsl` said it. */
function olderTerms(spec: Raw, refuse: Refuse): readonly Raw[] {
  const dsl = readText(spec['dsl'], 'spec.dsl', refuse);
  if (dsl !== undefined) {
    refuse('spec.dslx', 'Required', 'says nothing, and dsl alone is not read: the Rule is not served');
    return [];
  }
  const domain = readText(spec['domain'], 'spec.domain', refuse);
  const url = readText(spec['url'], 'spec.url', refuse);
  if (url !== undefined && !url.startsWith('/')) {
    refuse('spec.url', 'NotSupported', `${shown(url)} does not begin with /: write it as dslx`);
    return [];
  }
  const operator = domain?.startsWith('*') === true ? 'ENDS_WITH' : 'EQ';
  return [
    ...(domain === undefined ? [] : [{ type: 'HOST', values: [[operator, domain]] }]),
    ...(url === undefined ? [] : [{ type: 'URL', values: [['STARTS_WITH', url]] }]),
  ];
}

function readHeaders(object: KubeObject, refuse: Refuse): RuleModel['headers'] {
  const annotations = rawOf(rawOf(object.metadata)?.['annotations']) ?? {};
  const read = (['request', 'response'] as const).flatMap((way) => {
    const name = headerAnnotations[way];
    const value = annotations[name];
    if (typeof value !== 'string') return [];
    const found = readHeaderRewrite(value);
    const problem = typeof found === 'string' ? found : found.refused;
    if (problem !== undefined) refuse(`metadata.annotations[${name}]`, 'InvalidAnnotation', problem);
    return typeof found === 'string' ? [] : [[way, found.change] as const];
  });
  return Object.fromEntries(read);
}

function readCertificate(spec: Raw, namespace: string, refuse: Refuse): RuleModel['certificate'] {
  const secret = readNamed(spec['certificate_name'], 'spec.certificate_name', namespace, refuse);
  if (secret === undefined) return undefined;
  const domain = readHostname(spec['domain'], 'spec.domain', forms.hostname, refuse);
  if (domain === undefined) return refuse('spec.domain', 'Required', 'says not whose certificate_name it is');
  return { domain, secret };
}

function readRewrite(spec: Raw, refuse: Refuse): RuleModel['rewrite'] {
  const target = readText(spec['rewrite_target'], 'spec.rewrite_target', refuse);
  if (target === undefined) return undefined;
  const base = readText(spec['rewrite_base'], 'spec.rewrite_base', refuse);
  return { base: base ?? readText(spec['url'], 'spec.url', refuse) ?? '/', target };
}

/** redirectURL is older than config.redirect, and stands against it. */
function readOwnRedirect(spec: Raw, refuse: Refuse): RuleModel['settings']['redirect'] {
  const url = readText(spec['redirectURL'], 'spec.redirectURL', refuse);
  if (url === undefined) return undefined;
  return readRedirect({ url, code: spec['redirectCode'] || 302 }, 'spec.redirectURL', refuse);
}

const origin = /^(\*|https?:\/\/(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:\d{1,5})?)$/;

function readCORS(spec: Raw, refuse: Refuse): NonNullable<RuleModel['cors']> {
  const list = (name: string) =>
    (readText(spec[name], `spec.${name}`, refuse) ?? '')
      .split(',')
      .map((each) => each.trim())
      .filter((each) => each !== '');
  const given = list('corsAllowOrigin');
  const origins = given.filter(
    (each) =>
      origin.test(each) ||
      refuse('spec.corsAllowOrigin', 'InvalidValue', `${shown(each)} is not SCHEME://HOST[:PORT]`) !==
        undefined,
  );
  const headers = list('corsAllowHeaders').filter(
    (each) =>
      isToken(each) ||
      refuse('spec.corsAllowHeaders', 'InvalidHeader', `${shown(each)} is no name of a header`) !== undefined,
  );
  // Of what can't be read nobody is let in, rather than everybody.
  return { origins: given.length === 0 ? ['*'] : origins, headers };
}
