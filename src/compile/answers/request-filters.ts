/** What a gateway does to a request besides sending it on, in words and in its order. */
import type { GatewayActionIntent, GatewayHeaderChange, GatewayIntent } from '#intent/gateway.ts';
import { formatOrigin } from '#intent/origin.ts';
import { policyTexts } from './request-policy.ts';

export function changesOf(intent: GatewayIntent, action: GatewayActionIntent): readonly string[] {
  const { cors, externalAuth, mirrors = [], filters, persistence, timeouts, retry } = action;
  const texts: string[] = [...policyTexts(intent, action)];
  if (cors !== undefined) texts.push(`lets origins ${cors.allowOrigins.join(', ') || 'of nobody'} in (CORS)`);
  if (externalAuth !== undefined) {
    const { backend } = externalAuth;
    texts.push(
      backend === undefined
        ? 'can ask nobody for leave, since what it refers to is not there'
        : `asks ${nameOf(intent, backend)} for leave (${externalAuth.protocol.toUpperCase()})`,
    );
  }
  for (const { backend, share } of mirrors) {
    const part = share >= 1_000_000 ? '' : ` of ${share / 10_000} % of requests`;
    texts.push(`sends a copy${part} to ${nameOf(intent, backend)}`);
  }
  texts.push(...headerTexts(filters?.request, 'of the request'));
  const { rewrite } = filters ?? {};
  if (rewrite?.hostname !== undefined) texts.push(`rewrites the host to ${rewrite.hostname}`);
  if (rewrite?.path !== undefined) {
    const { type, value } = rewrite.path;
    const what = {
      full: 'the path',
      prefix: 'the prefix',
      captures: 'the path, with what its pattern captured,',
    };
    texts.push(`rewrites ${what[type]} to ${value === '' ? '/' : value}`);
  }
  texts.push(...headerTexts(filters?.response, 'of the answer'));
  for (const { header, cookie, share, backends } of action.canaries ?? []) {
    const asked = [
      header === undefined ? '' : `header ${header.name}`,
      cookie === undefined ? '' : `cookie ${cookie}`,
      share === undefined ? '' : `${share / 10_000} % of requests`,
    ].filter((text) => text !== '');
    const to = backends.map(({ backend }) => (backend === undefined ? '500' : nameOf(intent, backend)));
    texts.push(`sends to ${to.join(', ')} by ${asked.join(', ')} instead`);
  }
  if (action.hash !== undefined)
    texts.push(`chooses an endpoint by ${[action.hash.by, action.hash.name].join(' ').trim()}`);
  if (persistence !== undefined) texts.push(`keeps sessions by ${persistence.type} ${persistence.name}`);
  if (timeouts?.request) texts.push(`waits ${timeouts.request} ms at most`);
  if (timeouts?.backend) texts.push(`waits ${timeouts.backend} ms at most for one try`);
  if (retry !== undefined) {
    texts.push(
      `tries again up to ${retry.attempts} times after ${retry.codes.join(', ') || 'a lost connection'}`,
    );
  }
  return texts;
}

function headerTexts(change: GatewayHeaderChange | undefined, of: string): readonly string[] {
  if (change === undefined) return [];
  const { set = [], add = [], remove = [] } = change;
  const verbs = [
    ['sets', set.map(({ name }) => name)],
    ['adds', add.map(({ name }) => name)],
    ['removes', remove],
  ] as const;
  return verbs.flatMap(([verb, names]) =>
    names.length === 0 ? [] : [`${verb} header${names.length === 1 ? '' : 's'} ${names.join(', ')} ${of}`],
  );
}

function nameOf({ backends }: GatewayIntent, key: string): string {
  const held = backends[key];
  return held === undefined ? key : formatOrigin(held.origin);
}
