/** What policies do to a request, in words and in the order of the data plane. */
import type { GatewayActionIntent, GatewayIntent } from '#intent/gateway.ts';
import type { GatewayCountedBy, GatewayPolicyIntent } from '#intent/gateway-policy.ts';
import { formatOrigin } from '#intent/origin.ts';

/** Before anything else of the action; which policies they are stands in front. */
export function policyTexts(intent: GatewayIntent, action: GatewayActionIntent): readonly string[] {
  const policy = action.policy === undefined ? undefined : intent.policies[action.policy];
  if (policy === undefined) return [];
  const names = policy.origins.map(formatOrigin).join(', ');
  return [`keeps to ${names}`, ...limits(policy), ...guards(policy), ...outward(policy)];
}

function limits(policy: GatewayPolicyIntent): readonly string[] {
  const { trustedProxies, access = [], rateLimits = [], concurrency = [], maxBody } = policy;
  return [
    ...(trustedProxies === undefined
      ? []
      : [`takes the word of ${trustedProxies.join(', ')} for who the client is and how it came`]),
    ...access.map(({ allow, deny }) =>
      [
        allow === undefined ? '' : `lets only clients in ${shown(allow)} in`,
        deny === undefined ? '' : `lets no client in ${shown(deny)} in`,
      ]
        .filter((text) => text !== '')
        .join(', and '),
    ),
    ...rateLimits.map(
      ({ requests, per, burst, by }) =>
        `takes ${requests} requests in ${per / 1000} s${burst === 0 ? '' : `, and ${burst} more at once`}${byText(by)}`,
    ),
    ...concurrency.map(({ requests, by }) => `takes ${requests} requests at once${byText(by)}`),
    ...(maxBody === undefined || maxBody === 0 ? [] : [`takes bodies of up to ${maxBody} bytes`]),
  ];
}

function guards({ firewall, basicAuth }: GatewayPolicyIntent): readonly string[] {
  return [
    ...(firewall === undefined
      ? []
      : [
          `asks the firewall (${firewall.mode}, paranoia ${firewall.paranoia}, threshold ${firewall.threshold})`,
        ]),
    ...(basicAuth === undefined
      ? []
      : [
          basicAuth.users === undefined
            ? 'lets nobody in, since the Secret with names and passwords is not there or can not be used'
            : `asks for a name and a password of Secret ${basicAuth.users}`,
        ]),
  ];
}

function outward({ errors = [], compression, accessLog }: GatewayPolicyIntent): readonly string[] {
  return [
    ...errors.map(
      ({ codes, backend }) =>
        `shows a page ${backend === undefined ? 'of its own' : `of ${backend}`} for ${codes.join(', ')}`,
    ),
    ...(compression === undefined || compression.types.length === 0
      ? []
      : [`compresses ${compression.types.join(', ')}`]),
    ...(accessLog === undefined
      ? []
      : [`writes ${accessLog.share / 10_000} % of requests to the access log`]),
  ];
}

function byText(by: readonly GatewayCountedBy[]): string {
  if (by.length === 0) return ', all together';
  return `, each ${by.map((each) => (typeof each === 'string' ? each : `value of ${each.header}`)).join(' and ')} by itself`;
}

function shown(prefixes: readonly string[]): string {
  return prefixes.length <= 4
    ? prefixes.join(', ')
    : `${prefixes.slice(0, 4).join(', ')} and ${prefixes.length - 4} more`;
}
