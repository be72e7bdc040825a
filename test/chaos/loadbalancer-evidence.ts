/** What the programs of nodes last said, while what is wrong still is: afterwards nobody can tell why. */
import type { Lab } from '#lab/client.ts';
import { paths } from '#system/registry.ts';

const script = `
for program in datapath agent; do
  log=$(ls -t /var/log/pods/netloom-system_netloom-node-*/$program/*.log | head -1)
  echo "-- $program runs as $(pgrep -f "programs/$program/main.ts" | tr '\\n' ' '), since $(stat -c %w "$log" | cut -c1-23)"
  tail -qn 14 "$log" | cut -c1-320
done
curl -sm 2 --unix-socket ${paths.datapathSocket.value} http://datapath/v1/status | cut -c1-2500; echo
cat ${paths.runDirectory.value}/absent-nodes.json`;

/** Lines to be printed with a fault. */
export async function lastWords(lab: Lab, nodes: readonly string[]): Promise<readonly string[]> {
  return Promise.all(
    nodes.map(async (node) => {
      const { stdout, stderr } = await lab.exec(node, ['sh', '-c', script], { timeoutMs: 10_000 });
      return `== ${node} at ${new Date().toISOString().slice(11, 23)}\n${stdout}${stderr}`;
    }),
  );
}
