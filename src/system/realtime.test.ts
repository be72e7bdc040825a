/** The datapath's thread goes ahead of ordinary ones, and takes along only whom it names. */
import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

const program = `
import { execFileSync, spawn } from 'node:child_process';
import { becomeRealtime, takeAlong } from '#system/realtime.ts';
const policy = (pid) => execFileSync('ps', ['-o', 'cls=,rtprio=', '-p', String(pid)], { encoding: 'utf8' }).trim();
const child = () => spawn('sleep', ['60']);
const before = child();
takeAlong(before.pid);
becomeRealtime();
const [left, taken] = [child(), child()];
takeAlong(taken.pid);
const threads = execFileSync('ps', ['-L', '-o', 'cls=', '-p', String(process.pid)], { encoding: 'utf8' }).trim().split(/\\s+/);
console.log(JSON.stringify({
  self: policy(process.pid), before: policy(before.pid), left: policy(left.pid), taken: policy(taken.pid),
  threads: threads.filter((each) => each !== 'TS').length,
}));
for (const each of [before, left, taken]) each.kill();
`;

it('puts one thread ahead, and a child only when it is taken along', () => {
  const args = ['--input-type=module', '--eval', program];
  const said: unknown = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  expect(said).toEqual({
    self: 'RR      1',
    before: 'TS      -',
    left: 'TS      -',
    taken: 'RR      1',
    threads: 1,
  });
});
