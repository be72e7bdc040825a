/** Questions about backends, endpoints and sessions; part of vectors.ts. */
import type { GatewayChange } from '../../src/intent/gateway.ts';
import { chooseBackend, hashedEndpoint, nextEndpoint, sessionEndpoint, sessionToken } from './backends.ts';
import { prepareBackend } from './prepared.ts';
import { applyChange, createTable, type RouterTable } from './table.ts';
import type { Questions } from './vectors.ts';

export function chosen(input: Questions['choose']): string {
  const action = tableOf(input.changes).actions[input.action]!;
  const answers: string[] = [];
  for (let at = 0; at < input.dice.length; at++) {
    const choice = chooseBackend(action, input.dice[at]!);
    answers.push(choice === undefined ? '-' : choice.backend === undefined ? 'unresolved' : choice.backend);
  }
  return answers.join('\n');
}

export function turns(input: Questions['turns']): string {
  const backend = prepareBackend('b', input.backend);
  const answers: string[] = [];
  for (let at = 0; at < input.count; at++) {
    const endpoint = nextEndpoint(backend, input.dice);
    answers.push(endpoint === undefined ? '-' : `${endpoint.host} ${endpoint.port}`);
  }
  return answers.join('\n');
}

export function hashed(input: Questions['hashed']): string {
  const backend = prepareBackend('b', input.backend);
  const answers: string[] = [];
  for (let at = 0; at < input.values.length; at++) {
    const endpoint = hashedEndpoint(backend, input.values[at]!);
    answers.push(endpoint === undefined ? '-' : endpoint.name);
  }
  return answers.join('\n');
}

export function tokens(input: Questions['token']): string {
  const backend = prepareBackend(input.key, input.backend);
  const answers: string[] = [];
  for (let at = 0; at < backend.endpoints.length; at++) {
    answers.push(sessionToken(backend, backend.endpoints[at]!));
  }
  return answers.join('\n');
}

export function sessions(input: Questions['session']): string {
  const table = tableOf(input.changes);
  const answers: string[] = [];
  for (let at = 0; at < input.tokens.length; at++) {
    const session = sessionEndpoint(table, table.actions[input.action]!, input.tokens[at]!);
    answers.push(session === undefined ? '-' : `${session.backend.key} ${session.endpoint.name}`);
  }
  return answers.join('\n');
}

export function tableOf(changes: readonly GatewayChange[]): RouterTable {
  const table = createTable();
  for (let at = 0; at < changes.length; at++) applyChange(table, changes[at]!);
  return table;
}
