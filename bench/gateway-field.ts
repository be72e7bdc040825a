/** A gateway, plain nginx and HAProxy in one network namespace, clients and what answers them in another; a CPU each. */
import { join } from 'node:path';
import { createNginxEngine, type NginxEngine } from '#engines/nginx/driver.ts';
import { eventually } from '#lab/eventually.ts';
import { buildRouter, buildStream } from '#router/build.ts';
import { gatewaySlots, paths } from '#system/registry.ts';
import { backendNginx, type ContenderPlan, haproxy, plainNginx } from './gateway-contenders.ts';
import type { Client, Target } from './gateway-load.ts';
import { gatewayRoutes } from './gateway-routes.ts';
import { type Ground, openGround } from './nodes.ts';

export type Targets = { readonly http: Target; readonly https: Target };

export type Field = {
  readonly ground: Ground;
  readonly client: Client;
  readonly targets: Readonly<Record<'ours' | 'nginx' | 'haproxy', Targets>>;
  readonly engine: NginxEngine;
  /** `ADDRESS:PORT` of two that answer differently. */
  readonly backends: readonly [string, string];
  /** File with the process id of that one. */
  pidOfBackend(index: 0 | 1): string;
  /** Stops it and starts it again: milliseconds from then to the first answer 200. */
  restart(who: 'ours' | 'nginx', host: string, path: string): Promise<number>;
  close(): Promise<void>;
};

const world = '192.168.80.1';
const address = '192.168.80.2';
const backendPorts = [9001, 9002] as const;
/** On its one CPU. */
const workers = 1;
const plainPorts = { http: 8080, https: 8081 };
const haproxyPorts = { http: 8090, https: 8091 };
export const cpus = { proxy: 1, client: 0 };

/** All of them with `routes` routes; it ends with close(), or with this process. */
export async function openField(routes: number): Promise<Field> {
  await buildRouter();
  await buildStream();
  const ground = await openGround();
  try {
    await ground.run(
      `ip netns add world; ip netns add gateway
      ip link add world netns world type veth peer name gateway netns gateway
      ip -n world addr add ${world}/24 dev world; ip -n world link set world up; ip -n world link set lo up
      ip -n gateway addr add ${address}/24 dev gateway; ip -n gateway link set gateway up; ip -n gateway link set lo up`,
    );
    const certificate = await makeCertificate(ground);
    for (const port of backendPorts) {
      const directory = `/tmp/backend-${port}`;
      await file(ground, `${directory}/nginx.conf`, backendNginx(port, directory));
      await ground.run(
        `taskset -c ${cpus.client} nginx -e ${directory}/start.log -c ${directory}/nginx.conf`,
        'world',
      );
    }
    const endpoint = `${world}:${backendPorts[0]}`;
    const plan = (name: string, ports: ContenderPlan['ports']): ContenderPlan => ({
      routes,
      endpoint,
      ports,
      directory: `/tmp/${name}`,
      certificate: '/tmp/tls.crt',
      privateKey: '/tmp/tls.key',
    });
    await startPlain(ground, plan('plain', plainPorts));
    await startHAProxy(ground, plan('haproxy', haproxyPorts));
    const engine = await startOurs(ground);
    await engine.apply(gatewayRoutes(routes, [endpoint], certificate));
    const targets = (processes: string, http: number, https: number): Targets => ({
      http: { address, port: http, processes },
      https: { address, port: https, processes },
    });
    return {
      ground,
      client: { netns: 'world', cpu: cpus.client },
      engine,
      backends: [endpoint, `${world}:${backendPorts[1]}`],
      pidOfBackend: (index) => `/tmp/backend-${backendPorts[index]}/nginx.pid`,
      targets: {
        ours: targets(
          `pgrep -P $(cat ${oursPid})`,
          gatewaySlots.http.value.base,
          gatewaySlots.https.value.base,
        ),
        nginx: targets('pgrep -P $(cat /tmp/plain/nginx.pid)', plainPorts.http, plainPorts.https),
        haproxy: targets('cat /tmp/haproxy/pid', haproxyPorts.http, haproxyPorts.https),
      },
      restart: (who, host, path) => restart(ground, who, host, path),
      close: async () => {
        await engine.close();
        await ground.close();
      },
    };
  } catch (error) {
    await ground.close();
    throw error;
  }
}

const oursPid = `${paths.gatewayDirectory.value}/nginx.pid`;
/** As a gateway's pod starts it. */
const oursCommand = `setsid nginx -p ${paths.gatewayDirectory.value}/ -c /opt/netloom/src/engines/nginx/nginx.conf \
  -g 'worker_processes ${workers};' </dev/null >/tmp/ours.log 2>&1 &`;
const plainCommand = 'nginx -e /tmp/plain/start.log -c /tmp/plain/nginx.conf';

async function startOurs(ground: Ground): Promise<NginxEngine> {
  const directory = paths.gatewayDirectory.value;
  await ground.run(`mkdir -p ${directory}/temp`);
  await start(ground, oursCommand);
  const engine = createNginxEngine({ directory: join(`/proc/${ground.box.pid}/root`, directory) });
  await eventually(async () => void (await engine.status())).catch(async (error: unknown) => {
    throw new Error(`nginx doesn't answer: ${String(error)}\n${await ground.run('tail -20 /tmp/ours.log')}`);
  });
  return engine;
}

async function startPlain(ground: Ground, plan: ContenderPlan): Promise<void> {
  await file(ground, `${plan.directory}/nginx.conf`, plainNginx(plan, workers));
  await start(ground, plainCommand);
}

async function restart(ground: Ground, who: 'ours' | 'nginx', host: string, path: string): Promise<number> {
  const [command, pid, port] =
    who === 'ours'
      ? [oursCommand, oursPid, gatewaySlots.http.value.base]
      : [plainCommand, '/tmp/plain/nginx.pid', plainPorts.http];
  await ground.run(
    `pid=$(cat ${pid}); kill -TERM $pid; while [ -d /proc/$pid ]; do sleep 0.01; done`,
    'gateway',
  );
  const nanoseconds = await start(
    ground,
    `true; a=$(date +%s%N); taskset -c ${cpus.proxy} ${command}
    until [ "$(curl -so /dev/null -w '%{http_code}' -H 'Host: ${host}' http://127.0.0.1:${port}${path})" = 200 ]; do :; done
    b=$(date +%s%N); echo $((b - a))`,
  );
  return Number(nanoseconds) / 1e6;
}

async function startHAProxy(ground: Ground, plan: ContenderPlan): Promise<void> {
  const { config, map } = haproxy(plan, '/tmp/tls.pem');
  await file(ground, `${plan.directory}/routes.map`, map);
  await file(ground, `${plan.directory}/haproxy.cfg`, config);
  await start(ground, `haproxy -D -p ${plan.directory}/pid -f ${plan.directory}/haproxy.cfg`);
}

function start(ground: Ground, command: string): Promise<string> {
  return ground.run(`ulimit -n "$(ulimit -Hn)"; taskset -c ${cpus.proxy} ${command}`, 'gateway');
}

async function file(ground: Ground, path: string, text: string): Promise<void> {
  const result = await ground.box.exec(['sh', '-ec', 'mkdir -p "$(dirname "$1")"; cat >"$1"', 'sh', path], {
    input: text,
  });
  if (result.code !== 0) throw new Error(`${path}: ${result.stderr}`);
}

/** Of an elliptic curve, as cert-manager makes them. */
async function makeCertificate(ground: Ground): Promise<{ certificate: string; privateKey: string }> {
  await ground.run(
    `cd /tmp; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench \\
      -addext 'subjectAltName=DNS:*.bench.example' -keyout tls.key -out tls.crt 2>/dev/null; cat tls.crt tls.key >tls.pem`,
  );
  return {
    certificate: await ground.run('cat /tmp/tls.crt'),
    privateKey: await ground.run('cat /tmp/tls.key'),
  };
}
