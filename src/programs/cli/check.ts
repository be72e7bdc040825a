/** `netloom check`. */
import { runCheck } from './check/connectivity.ts';
import { resultTable } from './check/table.ts';
import { exitCodes, type Invocation } from './command.ts';
import { labName } from './lab-options.ts';

export async function run(invocation: Invocation): Promise<number> {
  const results = await runCheck({
    lab: labName(invocation),
    keep: invocation.values.keep === true,
    onStep: invocation.progress,
  });
  const failed = results.filter(({ ok }) => !ok).length;
  if (invocation.values.json === true) {
    invocation.out(JSON.stringify({ passed: results.length - failed, failed, results }));
  } else {
    invocation.out(resultTable(results));
    invocation.out('');
    invocation.out(`${results.length - failed} passed, ${failed} failed`);
  }
  return failed === 0 && results.length > 0 ? exitCodes.ok : exitCodes.failed;
}
