/** BaselineAdminNetworkPolicy, of the Network Policy API: the older form of a ClusterNetworkPolicy of tier Baseline. */
import { type KindDefinition, readyColumns } from '../kind.ts';
import { baselineAdminNetworkPolicyType } from '../policies.ts';
import { adminRules } from './adminnetworkpolicy.ts';
import { approval, policyStatusSchema } from './policyparts.ts';

export const baselineAdminNetworkPolicyKind: KindDefinition = {
  ...baselineAdminNetworkPolicyType,
  singular: 'baselineadminnetworkpolicy',
  shortNames: ['banp'],
  approval: approval(300),
  summary:
    'What becomes of pods’ connections where no NetworkPolicy selects the pod. There is one, named `default`, asked after every ' +
    'ClusterNetworkPolicy of tier `Baseline`, whose older form it is.',
  spec: {
    type: 'object',
    description: 'Whose connections, and what becomes of them.',
    required: ['subject'],
    properties: adminRules(['Allow', 'Deny'], 'What becomes of a connection that the rule matches.', false),
  },
  status: policyStatusSchema,
  rules: [
    {
      rule: 'self.metadata.name == "default"',
      message: 'metadata.name: a cluster has one BaselineAdminNetworkPolicy, named default',
    },
  ],
  columns: readyColumns,
};
