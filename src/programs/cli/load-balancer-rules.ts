/** What controller and agent may do for Services of type LoadBalancer, beyond what they may do anyway. */
import { metallbGroup } from '#api/kinds/metallbparts.ts';

const watch = ['get', 'list', 'watch'];

const bgpKinds = [
  {
    apiGroups: [metallbGroup],
    resources: ['bgppeers', 'bgpadvertisements', 'bfdprofiles', 'communities'],
    verbs: watch,
  },
];

export const loadBalancerRules = {
  controller: [
    { apiGroups: [''], resources: ['services', 'services/status'], verbs: ['update', 'patch'] },
    { apiGroups: [metallbGroup], resources: ['ipaddresspools', 'l2advertisements'], verbs: watch },
    { apiGroups: [metallbGroup], resources: ['ipaddresspools/status'], verbs: ['patch'] },
    { apiGroups: [metallbGroup], resources: ['configurationstates'], verbs: ['get', 'create', 'delete'] },
    { apiGroups: [metallbGroup], resources: ['configurationstates/status'], verbs: ['patch'] },
    ...bgpKinds,
    {
      apiGroups: [metallbGroup],
      resources: ['bgppeers/status', 'bgpadvertisements/status', 'communities/status'],
      verbs: ['patch'],
    },
  ],
  agent: [
    { apiGroups: [metallbGroup], resources: ['ipaddresspools', 'l2advertisements'], verbs: watch },
    ...bgpKinds,
    { apiGroups: [metallbGroup], resources: ['bgppeers/status'], verbs: ['patch'] },
    { apiGroups: [metallbGroup], resources: ['servicebgpstatuses'], verbs: [...watch, 'create', 'delete'] },
    { apiGroups: [metallbGroup], resources: ['servicebgpstatuses/status'], verbs: ['patch'] },
    { apiGroups: [metallbGroup], resources: ['servicel2statuses'], verbs: ['list', 'create', 'delete'] },
    { apiGroups: [metallbGroup], resources: ['servicel2statuses/status'], verbs: ['patch'] },
  ],
} as const;
