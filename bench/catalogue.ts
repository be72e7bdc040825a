/** Every bench of `netloom bench`. */
import type { Bench } from '#programs/cli/bench/row.ts';
import { cni } from './cni.ts';
import { gateway } from './gateway.ts';
import { gatewayPolicies } from './gateway-policies.ts';
import { ipam } from './ipam.ts';
import { lab } from './lab.ts';
import { loadBalancer } from './lb.ts';
import { memory } from './memory.ts';
import { path } from './path.ts';
import { policy } from './policy.ts';
import { policyCompute } from './policy-compute.ts';
import { serviceChanges } from './services.ts';
import { tenants } from './tenants.ts';
import { waf } from './waf.ts';

export const benches: readonly Bench[] = [
  cni,
  path,
  serviceChanges,
  policy,
  policyCompute,
  ipam,
  loadBalancer,
  gateway,
  gatewayPolicies,
  waf,
  tenants,
  memory,
  lab,
];
