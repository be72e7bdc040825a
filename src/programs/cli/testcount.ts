/** How many tests passed and failed, from vitest's JSON report; pure. */

export type Count = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** The part of the report that counts (vitest's JSON reporter, which follows jest's). */
export type JsonReport = {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests?: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
};

/** A file that can't be loaded is a failed test, and so is any other reason for which vitest ended with a code. */
export function countTests(report: JsonReport | undefined, exitCode: number): Count {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const broken = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  ).length;
  const failed = report.numFailedTests + broken;
  return {
    passed: report.numPassedTests,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: report.numPendingTests + (report.numTodoTests ?? 0),
  };
}

/** `12 passed, 0 failed`, and `, 3 skipped` where there are any. */
export function summaryLine({ passed, failed, skipped }: Count): string {
  return `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;
}
