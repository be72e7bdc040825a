/** Probes a running container, tells of it in events, and ends what is dead. */
import type { Container } from '../objects/container.ts';
import type { PodSurroundings } from './containerspec.ts';
import { podEvent } from './context.ts';
import { type ProbedContainer, type Prober, startProber } from './prober.ts';

/** `end` is called with a deadline (Unix ms) when the container must be restarted. */
export function watchContainer(
  container: Container,
  containerID: string,
  around: PodSurroundings,
  end: (deadline: number) => void,
  adopted?: ProbedContainer['adopted'],
): Prober {
  const { node, pod } = around;
  return startProber({
    host: node.host,
    container,
    containerID,
    podIP: around.podIPs()[0] ?? '127.0.0.1',
    ...(adopted === undefined ? {} : { adopted }),
    onChange: around.wake,
    onFailure(kind, message) {
      const note = `${kind[0]?.toUpperCase()}${kind.slice(1)} probe failed: ${message}`;
      podEvent(node, pod(), 'Warning', 'Unhealthy', note);
    },
    onDead(kind, probe) {
      const note = `Container ${container.name} failed ${kind} probe, will be restarted`;
      podEvent(node, pod(), 'Normal', 'Killing', note);
      const grace = probe.terminationGracePeriodSeconds ?? pod().spec.terminationGracePeriodSeconds ?? 30;
      end(Date.now() + grace * 1000);
    },
  });
}
