/** `netloom check`. */
import { runCheck } from './check/connectivity.ts';
import { resultTable } from './check/table.ts';
import { exitCodes, type Invocation } from './command.ts';

/** Exit code 0 only when every packet did as it must. */
export async function run({ values, out, progress }: Invocation): Promise<number> {
  const results = await runCheck({
    lab: String(values['name']),
    keep: values['keep'] === true,
    onStep: progress,
  });
  out(values['json'] === true ? JSON.stringify(results, undefined, 2) : resultTable(results));
  return results.every((result) => result.ok) ? exitCodes.ok : exitCodes.failed;
}
