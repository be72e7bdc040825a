/** Pods of a case: waited for, and answering while they are there. */
import { eventually } from '#lab/eventually.ts';
import type { Case, PodWish, Step } from '../corpus/case.ts';
import { usualPorts } from './case-cluster.ts';
import type { Running } from './case-ends.ts';
import type { ServedPort } from './packets.ts';
import { isReady } from './pods.ts';

const podsWithin = 45_000;

/** Every pod that the step makes or speaks of is ready (or has ended), and answers. */
export async function waitForPods(run: Running, step: Step): Promise<void> {
  const spoken = step.checks.flatMap((check) =>
    check.kind === 'probe' && check.judgedOnly === undefined
      ? [check.from, check.to, ...(check.by ?? [])]
      : [],
  );
  const isPod = (end: string) =>
    run.names.namespaces.has(end.split('/')[0] ?? '') && /^[a-z0-9-]+\/[a-z0-9.-]+$/.test(end);
  const wanted = new Set([
    ...step.pods.map(({ namespace, name }) => `${namespace}/${name}`),
    ...spoken.filter(isPod),
  ]);
  await Promise.all([...wanted].map((end) => serveFrom(run, end)));
}

async function serveFrom(run: Running, end: string): Promise<void> {
  const [namespace = '', name = ''] = end.split('/');
  const wish = run.wishes.get(end);
  const pod = await eventually(() => {
    const found = run.pods.get(run.names.namespace(namespace), name);
    // It may be ending by now, and is still there.
    if (found !== undefined && found.metadata.uid === run.serving.get(end)?.uid) return found;
    const phase = found?.status?.phase;
    if (found === undefined) throw new Error(`${end} is not there`);
    const isThere = wish?.ended === true ? phase === 'Succeeded' : isReady(found);
    if (!isThere) throw new Error(`${end} is not ready: ${JSON.stringify(found.status)}`);
    return found;
  }, podsWithin);
  const uid = pod.metadata.uid ?? '';
  if (wish?.ended === true || run.serving.get(end)?.uid === uid) return;
  await stopServing(run, end);
  const machine = pod.spec.nodeName ?? '';
  const isHost = pod.spec.hostNetwork === true;
  const place = isHost
    ? { machine }
    : await eventually(async () => {
        const netns = (await run.packets.namespaces(machine))[uid];
        if (netns === undefined) throw new Error(`${machine} has no pod ${end}`);
        return { machine, netns };
      });
  const ports = isHost ? (wish?.ports ?? []) : servedBy(run.given, wish);
  const served = unique(
    ports.flatMap(({ protocol, port }) => (protocol === 'icmp' ? [] : [{ protocol, port }])),
  );
  await run.packets.serve(place, `${run.names.namespace(namespace)}/${name}`, served);
  run.serving.set(end, { uid, place, served, addresses: (pod.status?.podIPs ?? []).map(({ ip }) => ip) });
}

/** SCTP costs a socket that sees every packet: only where a case speaks of it. */
function servedBy(
  { steps }: Case,
  wish: PodWish | undefined,
): readonly (PodWish['ports'][number] | ServedPort)[] {
  const needsSctp = steps.some(({ checks }) =>
    checks.some((check) => check.kind === 'probe' && check.protocol === 'sctp'),
  );
  const sctp = needsSctp ? ([80, 81] as const).map((port) => ({ protocol: 'sctp' as const, port })) : [];
  return [...usualPorts, ...sctp, ...(wish?.ports ?? [])];
}

function unique(ports: readonly ServedPort[]): readonly ServedPort[] {
  return [...new Map(ports.map((port) => [`${port.protocol}/${port.port}`, port])).values()];
}

export async function podGone(run: Running, end: string): Promise<void> {
  const [namespace = '', name = ''] = end.split('/');
  const before = run.serving.get(end)?.uid;
  await eventually(() => {
    const pod = run.pods.get(run.names.namespace(namespace), name);
    // Its controller may have made the next one of that name at once.
    if (pod !== undefined && (before === undefined || pod.metadata.uid === before))
      throw new Error(`${end} is still there`);
  });
  await stopServing(run, end);
}

export async function stopServing(run: Running, end: string): Promise<void> {
  const known = run.serving.get(end);
  run.serving.delete(end);
  if (known !== undefined) await run.packets.release(known.place, end, known.served);
}
