/** How many tests passed and failed, and what to say of those that didn't at once, from vitest's JSON report; pure. */

export type Count = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** The part of the report that is read (vitest's JSON reporter, which follows jest's). */
export type JsonReport = { readonly testResults: readonly FileResult[] };

type FileResult = {
  /** Path of the file. */
  readonly name: string;
  readonly status: string;
  readonly message: string;
  readonly assertionResults: readonly {
    readonly status: string;
    readonly fullName: string;
    /** Also of an earlier try of a test that passed. */
    readonly failureMessages?: readonly string[];
  }[];
};

/** A file that can't be loaded is a failed test, and so is any other reason for which vitest ended with a code. */
export function countTests(report: JsonReport | undefined, exitCode: number): Count {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const statuses = report.testResults.flatMap((file) => [
    ...file.assertionResults.map(({ status }) => status),
    ...(isBroken(file) ? ['failed'] : []),
  ]);
  const failed = statuses.filter((status) => status === 'failed').length;
  const passed = statuses.filter((status) => status === 'passed').length;
  return {
    passed,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: statuses.length - passed - failed,
  };
}

/** Files in which a test failed, or that failed as a whole. */
export function failedFiles({ testResults }: JsonReport): readonly string[] {
  return testResults.filter(({ status }) => status === 'failed').map(({ name }) => name);
}

/** The first report with the files that were run again as they were then. */
export function withSecondTry(first: JsonReport, second: JsonReport): JsonReport {
  const again = new Map(second.testResults.map((file) => [file.name, file]));
  return { testResults: first.testResults.map((file) => again.get(file.name) ?? file) };
}

/** A line for each test that failed, also for one that passed at its second try: nobody finds them in a long output. */
export function failureLines({ testResults }: JsonReport, root: string): readonly string[] {
  return testResults.flatMap((file) => {
    const path = file.name.startsWith(`${root}/`) ? file.name.slice(root.length + 1) : file.name;
    const tests = file.assertionResults.flatMap(({ status, fullName, failureMessages = [] }) => {
      const how = status === 'failed' ? 'FAILED' : 'failed at first';
      return failureMessages.slice(0, 1).map((message) => `${how}  ${path} > ${fullName}: ${gist(message)}`);
    });
    return isBroken(file) ? [...tests, `FAILED  ${path}: ${gist(file.message)}`] : tests;
  });
}

/** `12 passed, 0 failed`, and `, 3 skipped` where there are any. */
export function summaryLine({ passed, failed, skipped }: Count): string {
  return `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;
}

function isBroken({ status, assertionResults }: FileResult): boolean {
  return status === 'failed' && !assertionResults.some((test) => test.status === 'failed');
}

/** Two lines are enough to know a failure again, and the seed of a property. */
function gist(message: string): string {
  const lines = message.split('\n').filter((line) => !/^\s*(at |$)/.test(line));
  return lines.slice(0, 2).join(' | ').slice(0, 400);
}
