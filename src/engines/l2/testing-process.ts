/** The engine as a process of its own, for tests that kill and stop it: holds the addresses of its arguments until SIGTERM. */
import { createL2Engine } from './driver.ts';

const [candidates = '', ...addresses] = process.argv.slice(2);
const engine = createL2Engine({ onError: (error) => console.error(error) });
const origin = { kind: 'Service', namespace: 'shop', name: 'web' };
const { problems } = await engine.apply({
  generation: 1,
  replace: true,
  put: {
    virtualAddresses: Object.fromEntries(
      addresses.map((address) => [address, { origin, candidates: candidates.split(',') }]),
    ),
  },
  remove: {},
});
if (problems.length > 0) console.error(problems);
console.log(process.pid);
process.once('SIGTERM', () => void engine.close().then(() => process.exit(0)));
// The engine's own clocks keep no process alive.
setInterval(() => {}, 60_000);
