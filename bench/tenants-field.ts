/** A second instance beside the one of gateway-field.ts: its own nginx on the same processor, for a tenant that shares with nobody. */
import { join } from 'node:path';
import { createNginxEngine, type NginxEngine } from '#engines/nginx/driver.ts';
import { eventually } from '#lab/eventually.ts';
import { gatewaySlots, paths } from '#system/registry.ts';
import { cpus, type Field } from './gateway-field.ts';
import type { Target } from './gateway-load.ts';

export type Instance = { readonly engine: NginxEngine; readonly target: Target; close(): Promise<void> };

const directory = '/tmp/second-instance';
const address = '192.168.81.2';

/** Paths in nginx.conf are what they are, so the second one has a view of its own of the file system. */
export async function openSecondInstance({ ground, client }: Field): Promise<Instance> {
  await ground.run(
    `ip netns add second
    ip link add second netns ${client.netns} type veth peer name second netns second
    ip -n ${client.netns} addr add 192.168.81.1/24 dev second; ip -n ${client.netns} link set second up
    ip -n second addr add ${address}/24 dev second; ip -n second link set second up; ip -n second link set lo up
    ip -n second route add default via 192.168.81.1
    mkdir -p ${directory}/temp`,
  );
  const own = paths.gatewayDirectory.value;
  const nginx = `exec setsid nginx -p ${own}/ -c /opt/netloom/src/engines/nginx/nginx.conf -g "worker_processes 1;"`;
  await ground.run(
    `ulimit -n "$(ulimit -Hn)"
    taskset -c ${cpus.proxy} unshare -m sh -c 'mount --bind ${directory} ${own}; ${nginx}' </dev/null >/tmp/second.log 2>&1 &`,
    'second',
  );
  const engine = createNginxEngine({ directory: join(`/proc/${ground.box.pid}/root`, directory) });
  await eventually(async () => void (await engine.status())).catch(async (error: unknown) => {
    throw new Error(
      `nginx doesn't answer: ${String(error)}\n${await ground.run('tail -20 /tmp/second.log')}`,
    );
  });
  return {
    engine,
    target: {
      address,
      port: gatewaySlots.http.value.base,
      processes: `pgrep -P $(cat ${directory}/nginx.pid)`,
    },
    close: () => engine.close(),
  };
}
