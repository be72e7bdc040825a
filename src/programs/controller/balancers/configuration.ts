/** The controller's ConfigurationState: whether all that pools say is in effect. */
import { type ConfigurationState, configurationStateKind } from '#api/kinds/configurationstate.ts';
import { metallbLabels } from '#api/kinds/metallbparts.ts';
import { apiVersionOf, type Condition, type KubeObject } from '#api/object.ts';
import { type Client, isAlreadyExists, isNotFound } from '#kube/client.ts';
import { cut, type NewCondition, setConditions } from '#kube/conditions.ts';
import type { Problem } from '#model/problem.ts';
import { catalogue } from '#telemetry/catalogue.ts';
import { systemNamespace } from '../../node-lease.ts';

const name = 'controller';

/** Pure. Problems of Services are theirs, not the configuration's. */
export function configurationOf(problems: readonly Problem[]): {
  readonly result: 'Valid' | 'Invalid';
  readonly errorSummary: string;
  readonly condition: NewCondition;
} {
  const bad = problems.filter(
    ({ object, code }) => object.kind === 'IPAddressPool' && catalogue[code].severity === 'error',
  );
  const lines = bad.map(
    ({ object, field, message }) => `${object.kind} ${object.namespace}/${object.name}: ${field}: ${message}`,
  );
  const type = 'poolReconcilerValid';
  if (bad.length === 0) {
    const condition = { type, status: 'True', reason: 'Valid', message: 'all pools are in effect' } as const;
    return { result: 'Valid', errorSummary: '', condition };
  }
  const errorSummary = cut(lines.sort().join('; '), 4096);
  return {
    result: 'Invalid',
    errorSummary,
    condition: { type, status: 'False', reason: bad[0]!.code, message: errorSummary },
  };
}

/** Writes when something is other than at its last write. */
export function createConfigurationWriter(client: Client): (problems: readonly Problem[]) => Promise<void> {
  let written: string | undefined;
  return async (problems) => {
    const { result, errorSummary, condition } = configurationOf(problems);
    const text = JSON.stringify([result, errorSummary]);
    if (text === written) return;
    const target = { name, namespace: systemNamespace };
    const held = await readOrCreate(client);
    if (held === undefined) return;
    const conditions = setConditions(
      held.status?.conditions as readonly Condition[] | undefined,
      [condition],
      new Date(),
    );
    const body = { status: { result, errorSummary, conditions } };
    await client.patch(configurationStateKind, { ...target, subresource: 'status' }, { kind: 'merge', body });
    written = text;
  };
}

/** Undefined where the cluster doesn't serve the kind. */
async function readOrCreate(client: Client): Promise<ConfigurationState | undefined> {
  const object: KubeObject = {
    apiVersion: apiVersionOf(configurationStateKind),
    kind: configurationStateKind.kind,
    metadata: { name, namespace: systemNamespace, labels: { [metallbLabels.component]: 'controller' } },
  };
  try {
    return await client.get<ConfigurationState>(configurationStateKind, name, systemNamespace);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  try {
    return (await client.create(configurationStateKind, object)) as ConfigurationState;
  } catch (error) {
    if (isNotFound(error) || isAlreadyExists(error)) return undefined;
    throw error;
  }
}
