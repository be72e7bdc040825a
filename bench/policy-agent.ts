/** The agent's way of a Pod's event, without its API server: reading, compile, the real handover to a datapath. */
import { setTimeout as pause } from 'node:timers/promises';
import type { KubeObject } from '#api/object.ts';
import type { IntentChange } from '#intent/node.ts';
import { readPod } from '#model/pod.ts';
import type { DatapathClient } from '#programs/agent/datapath-client.ts';
import { startHandover } from '#programs/agent/handover.ts';
import { silentLog } from '#telemetry/log.ts';
import type { PolicyNode } from './policy-node.ts';

/** As the agent's: the first change goes at once, what follows it gathers for so long. */
const gatherMs = 5;

export type Agent = {
  /** An event as a line of a watch, due at `at` (performance.now()). */
  take(line: string, at: number): void;
  settled(): Promise<void>;
  /** Milliseconds from an event that changed something until the datapath's answer that the kernel has it. */
  readonly samples: number[];
  /** Of reading events and compiling what they mean, a message. */
  readonly compiles: number[];
  close(): void;
};

/** The real handover with a compiler before it, as the agent has them. */
export async function startAgent({ node, compiler, intent }: PolicyNode): Promise<Agent> {
  const samples: number[] = [];
  const compiles: number[] = [];
  /** When what is not sent yet was due, and whether it is under way. */
  let waiting: number[] = [];
  let heard: number[] = [];
  let spent = 0;
  let underWay = 0;
  let timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  let flushedAt = 0;
  const client: DatapathClient = {
    ...node.client,
    async send(change: IntentChange) {
      const carried = waiting;
      waiting = [];
      underWay++;
      const result = await node.client.send(change);
      underWay--;
      const now = performance.now();
      if ('refused' in result) throw new Error(result.refused.error);
      if (result.answer.problems.length > 0) throw new Error(JSON.stringify(result.answer.problems[0]));
      samples.push(...carried.map((at) => now - at));
      return result;
    },
  };
  const handover = startHandover(client, silentLog);
  const flush = (): void => {
    timer = undefined;
    flushedAt = performance.now();
    const delta = compiler.flush();
    compiles.push(spent + performance.now() - flushedAt);
    spent = 0;
    if (delta !== undefined) {
      waiting.push(...heard);
      handover.change(delta);
    }
    heard = [];
  };
  const agent: Agent = {
    samples,
    compiles,
    take(line, at) {
      const started = performance.now();
      const { object } = JSON.parse(line) as { readonly object: KubeObject };
      const pod = readPod(object);
      compiler.setPod(`${pod.namespace}/${pod.name}`, pod);
      spent += performance.now() - started;
      heard.push(at);
      if (timer !== undefined) return;
      const wait = flushedAt + gatherMs - performance.now();
      timer = wait > 0 ? setTimeout(flush, wait) : setImmediate(flush);
    },
    async settled() {
      while (timer !== undefined || waiting.length > 0 || underWay > 0) await pause(5);
    },
    close: () => handover.close(),
  };
  waiting.push(performance.now());
  handover.change({ put: intent, remove: {} });
  handover.open();
  await agent.settled();
  return agent;
}
