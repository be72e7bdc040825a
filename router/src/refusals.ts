/** Why a policy turned a request away: what metrics tell apart. Places in a list, so new ones go to its end. */

export const refusals = [
  'access',
  'tenant-rate',
  'tenant-concurrency',
  'rate',
  'concurrency',
  'body',
  'password',
  'firewall',
] as const;

export type Refusal = (typeof refusals)[number];
