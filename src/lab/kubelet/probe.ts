/** When a probe runs and what its results mean; pure. */
import type { Container, HttpGetAction, Probe } from '../objects/container.ts';

export type ProbeKind = 'startup' | 'readiness' | 'liveness';

export type ProbeState = {
  /** Undefined until the thresholds have decided for the first time. */
  readonly passing: boolean | undefined;
  /** Equal results in a row. */
  readonly streak: number;
  readonly last: boolean | undefined;
};

export const freshProbe: ProbeState = { passing: undefined, streak: 0, last: undefined };

/** After one more result. */
export function probed(state: ProbeState, probe: Probe, success: boolean): ProbeState {
  const streak = state.last === success ? state.streak + 1 : 1;
  const needed = success ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
  return { passing: streak >= needed ? success : state.passing, streak, last: success };
}

/** Why a probe can't be run in the lab; undefined when it can. */
export function probeRefusal(container: Container): string | undefined {
  for (const kind of ['startup', 'readiness', 'liveness'] as const) {
    const probe = container[`${kind}Probe`];
    if (probe?.grpc !== undefined) {
      return `${kind}Probe of container ${container.name}: grpc probes are not part of the lab; use httpGet, tcpSocket or exec`;
    }
  }
  return undefined;
}

/** Number of a port that is given by number or by name. */
export function portNumber(port: number | string, container: Container): number | undefined {
  if (typeof port === 'number') return port;
  if (/^\d+$/.test(port)) return Number(port);
  return (container.ports ?? []).find(({ name }) => name === port)?.containerPort;
}

/** Any status from 200 to 399 is success (a redirect to another host, too). */
export function httpSucceeded(status: number): boolean {
  return status >= 200 && status < 400;
}

/** Headers of an HTTP probe; names and values come from a user and are checked by the HTTP library. */
export function probeHeaders(action: HttpGetAction): Record<string, string> {
  const own = Object.fromEntries((action.httpHeaders ?? []).map(({ name, value }) => [name, value]));
  return { 'User-Agent': 'kube-probe/1.32', Accept: '*/*', ...own };
}
