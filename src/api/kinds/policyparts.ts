/** What the schemas of the Network Policy API's kinds have in common. The facts are upstream's experimental channel, the words ours. */
import { conditionsSchema, labelSelectorSchema } from '../kind.ts';

/** Where the API's kinds are approved, as the API server asks of every kind under k8s.io. */
export const approval = (pull: number): string =>
  `https://github.com/kubernetes-sigs/network-policy-api/pull/${pull}`;

export const selectorSchema = (description: string) =>
  ({ ...labelSelectorSchema(description), 'x-kubernetes-map-type': 'atomic' }) as const;

export type Version = {
  /** A `pods` peer must name namespaces, too. */
  readonly needsNamespaces: boolean;
  readonly domainNames: boolean;
  /** How many peers a rule may have. */
  readonly most: number;
};

const none = 'Not those with hostNetwork: their connections are their node’s.';

/** `namespaces` or `pods`. */
function podsSchemas({ needsNamespaces }: Pick<Version, 'needsNamespaces'>) {
  return {
    namespaces: selectorSchema(
      `All pods of these namespaces; an empty selector takes every namespace. ${none}`,
    ),
    pods: {
      type: 'object',
      description: `Some pods of some namespaces. ${none}`,
      required: [...(needsNamespaces ? ['namespaceSelector'] : []), 'podSelector'],
      properties: {
        namespaceSelector: selectorSchema(
          needsNamespaces
            ? 'An empty selector takes every namespace.'
            : 'Missing or empty, it takes every namespace.',
        ),
        podSelector: selectorSchema('An empty selector takes every pod.'),
      },
    },
  };
}

export const subjectSchema = (version: Pick<Version, 'needsNamespaces'>) => ({
  type: 'object',
  description: 'Whose connections are decided: one of `namespaces` and `pods`.',
  minProperties: 1,
  maxProperties: 1,
  properties: podsSchemas(version),
});

export const fromSchema = (version: Version) =>
  peers(
    version,
    'Where connections come from: any of these. Each is one of its fields.',
    podsSchemas(version),
  );

export const toSchema = (version: Version) =>
  peers(version, 'Where connections go: any of these. Each is one of its fields.', {
    ...podsSchemas(version),
    networks: {
      type: 'array',
      description: 'Prefixes. They hold for pods and nodes in them, too, and for every protocol.',
      minItems: 1,
      maxItems: 25,
      'x-kubernetes-list-type': 'set',
      items: {
        type: 'string',
        maxLength: 43,
        'x-kubernetes-validations': [
          { rule: 'isCIDR(self)', message: 'must be a prefix, such as 10.0.0.0/8 or fd00::/8' },
        ],
      },
    },
    nodes: selectorSchema('All addresses of these nodes; an empty selector takes every node.'),
    ...(version.domainNames ? { domainNames: domainNamesSchema } : {}),
  });

function peers(version: Version, description: string, properties: object) {
  return {
    type: 'array',
    description,
    minItems: 1,
    maxItems: version.most,
    items: { type: 'object', minProperties: 1, maxProperties: 1, properties },
  };
}

const label = '[a-zA-Z0-9_]([-a-zA-Z0-9_]*[a-zA-Z0-9])?';

const domainNamesSchema = {
  type: 'array',
  description:
    'Names, `*.` before one for one or more labels before it: addresses that pods were told for them by DNS. Only of rules that accept.',
  minItems: 1,
  maxItems: 25,
  'x-kubernetes-list-type': 'set',
  items: { type: 'string', pattern: `^(\\*\\.)?(${label}\\.)+${label}\\.?$` },
};

export const actionSchema = (actions: readonly string[], description: string) => ({
  type: 'string',
  description,
  enum: actions,
});

export const nameSchema = {
  type: 'string',
  description: 'For people: it stands in what Netloom says of the rule.',
  maxLength: 100,
};

export const portSchema = (description: string) => ({
  type: 'integer',
  format: 'int32',
  minimum: 1,
  maximum: 65_535,
  description,
});

/** Peers without names for their ports can't be in one rule with a named port. */
export const noNamedPorts = (ports: 'ports' | 'protocols', field: string, domainNames: boolean) => ({
  rule:
    `!has(self.${ports}) || !self.${ports}.exists(port, has(port.${field})) || !self.to.exists(peer, ` +
    `has(peer.networks) || has(peer.nodes)${domainNames ? ' || has(peer.domainNames)' : ''})`,
  message: `${field}: only pods have names for their ports; not in a rule with networks${domainNames ? ', nodes or domainNames' : ' or nodes'}`,
});

/** All that the API's kinds can say: what Netloom has to tell is in the conditions' messages. */
export const policyStatusSchema = {
  type: 'object',
  required: ['conditions'],
  properties: { conditions: conditionsSchema },
};
