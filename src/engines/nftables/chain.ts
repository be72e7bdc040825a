/** Short forms for writing chains down. */
import type { Chain, Hook, Rule } from './objects.ts';

/** `comment` says why; it is kept in the kernel, too. */
export function rule(statement: string, comment?: string): Rule {
  return comment === undefined ? { statement } : { statement, comment };
}

export function chain(name: string, rules: readonly Rule[]): Chain {
  return { name, rules };
}

/** A chain on a hook; what no rule decides is accepted. */
export function base(
  name: string,
  type: Hook['type'],
  hook: Hook['hook'],
  priority: number,
  rules: readonly Rule[],
): Chain {
  return { name, hook: { type, hook, priority }, rules };
}
