/** Load on a proxy by wrk (HTTP/1.1) and h2load (HTTP/2 by TLS), and what it costs the proxy's processes. */
import type { RoutedRequest } from './gateway-routes.ts';
import type { Ground } from './nodes.ts';

export type LoadFigures = {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p99: number;
  /** Microseconds of CPU of the proxy a request. */
  readonly cpu: number;
  /** Answers other than 200, and connections that broke. */
  readonly failed: number;
};

export type Target = {
  readonly address: string;
  readonly port: number;
  /** Prints the process ids of the proxy, as its sandbox sees them. */
  readonly processes: string;
};

/** Where clients run: network namespace and CPU. */
export type Client = { readonly netns: string; readonly cpu: number };

const connections = 32;
const streams = 10;
/** Of /proc/PID/stat. */
const ticksPerSecond = 100;

/** `seconds` of requests, one after the other of `requests` on each connection. */
export async function loadHTTP1(
  ground: Ground,
  client: Client,
  target: Target,
  requests: readonly RoutedRequest[],
  seconds: number,
): Promise<LoadFigures> {
  const script = '/tmp/wrk.lua';
  await ground.run(`cat >${script} <<'END'\n${wrkScript(requests)}END`);
  const before = await cpuSeconds(ground, target);
  const said = await ground.run(
    `taskset -c ${client.cpu} wrk -t1 -c${connections} -d${seconds}s -s ${script} http://${target.address}:${target.port}/`,
    client.netns,
  );
  const cpu = (await cpuSeconds(ground, target)) - before;
  const figures = /^FIGURES (\d+) (\d+) (\d+) (\d+)$/m.exec(said);
  if (figures === null) throw new Error(`wrk said: ${said}`);
  const [count, micros, p99, failed] = figures.slice(1).map(Number) as [number, number, number, number];
  return { perSecond: count / (micros / 1e6), p99: p99 / 1000, cpu: (cpu * 1e6) / count, failed };
}

/** `count` requests over HTTP/2 by TLS to one host: h2load keeps to one. */
export async function loadHTTP2(
  ground: Ground,
  client: Client,
  target: Target,
  requests: readonly RoutedRequest[],
  count: number,
): Promise<LoadFigures> {
  const host = requests[0]!.host;
  const uris = requests
    .filter((request) => request.host === host)
    .map(({ path }) => `https://${host}${path}`);
  const list = '/tmp/h2load.uris';
  const log = '/tmp/h2load.log';
  await ground.run(`rm -f ${log}; cat >${list} <<'END'\n${[...new Set(uris)].join('\n')}\nEND`);
  const before = await cpuSeconds(ground, target);
  const said = await ground.run(
    `taskset -c ${client.cpu} h2load -t1 -c${connections} -m${streams} -n${count} --connect-to=${target.address}:${target.port} --log-file=${log} -i ${list}`,
    client.netns,
  );
  const cpu = (await cpuSeconds(ground, target)) - before;
  const perSecond = Number(/finished in [^,]+, ([\d.]+) req\/s/.exec(said)?.[1]);
  const succeeded = Number(/status codes: (\d+) 2xx/.exec(said)?.[1]);
  if (Number.isNaN(perSecond) || Number.isNaN(succeeded)) throw new Error(`h2load said: ${said}`);
  // Start of the request, status, microseconds.
  const p99 = Number(
    await ground.run(`cut -f3 ${log} | sort -n | awk '{ all[NR] = $1 } END { print all[int(NR * 0.99)] }'`),
  );
  return { perSecond, p99: p99 / 1000, cpu: (cpu * 1e6) / count, failed: count - succeeded };
}

/** User and system time of the proxy's processes. */
async function cpuSeconds(ground: Ground, target: Target): Promise<number> {
  const stats = await ground.run(`for pid in $(${target.processes}); do cat /proc/$pid/stat; done`);
  return stats
    .trim()
    .split('\n')
    .map((line) => line.split(') ')[1]!.split(' '))
    .reduce((sum, fields) => sum + (Number(fields[11]) + Number(fields[12])) / ticksPerSecond, 0);
}

function wrkScript(requests: readonly RoutedRequest[]): string {
  return `
local requests, at, failed = {}, 0, 0
function init()
${requests
  .map(({ host, path, headers = {} }) => {
    const own = Object.entries({ Host: host, ...headers }).map(([name, value]) => `["${name}"] = "${value}"`);
    return `  requests[#requests + 1] = wrk.format("GET", "${path}", { ${own.join(', ')} })`;
  })
  .join('\n')}
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("FIGURES %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
`;
}
