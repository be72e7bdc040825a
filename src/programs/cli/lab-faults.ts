/** `netloom lab cut`, `mend`, `freeze`, `thaw`, `kill`, `start`: what happens to a node of a lab, and its end. */
import { type Lab, openLab } from '#lab/client.ts';
import { exitCodes, type Invocation } from './command.ts';
import { labName } from './lab-options.ts';

export const faults = {
  cut: fault((lab, node) => lab.cutCable(node), 'is cut off'),
  mend: fault((lab, node) => lab.plugCable(node), 'has its cable'),
  freeze: fault((lab, node) => lab.freeze(node), 'is frozen'),
  thaw: fault((lab, node) => lab.thaw(node), 'runs on'),
  kill: fault((lab, node) => lab.removeNode(node, { keepDisk: true }), 'is off'),
  start: fault((lab, node) => lab.addNode(node), 'is on'),
} as const;

function fault(happens: (lab: Lab, node: string) => Promise<void>, then: string) {
  return async (invocation: Invocation): Promise<number> => {
    const [node = ''] = invocation.operands;
    await happens(await openLab(labName(invocation)), node);
    invocation.out(`${node} ${then}`);
    return exitCodes.ok;
  };
}
