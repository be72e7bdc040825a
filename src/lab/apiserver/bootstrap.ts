/** What every cluster has from its first second: the default namespaces. */
import { type Context, timestamp, type WriteOptions } from './context.ts';
import { create } from './write.ts';

/** Options of writes that the server makes itself. */
export function ownWrite(): WriteOptions {
  return { manager: 'kube-apiserver', dryRun: false, fieldValidation: 'Ignore', warnings: new Set() };
}

const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/** Makes what is absent; changes nothing else. */
export function bootstrap(context: Context): void {
  const kind = context.kinds.byKind('v1', 'Namespace')!;
  for (const name of namespaces) {
    if (context.store.table('/namespaces').get('', name) === undefined) {
      create(context, kind, '', { metadata: { name } }, ownWrite());
    }
  }
}
void timestamp;
