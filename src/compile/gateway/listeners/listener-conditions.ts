/** What is said of one listener, but for whether its data plane is there. */

import type { GatewayCondition } from '../types.ts';
import type { JudgedListener } from './listener-judgement.ts';

/** What is found only where the listener is made. */
export type ListenerFindings = {
  /** Kinds of routes that it names in vain. */
  readonly invalidKinds: readonly string[];
  /** Sentences about its TLS options. */
  readonly refusedOptions: readonly string[];
  /** Its port got no socket. */
  readonly crowded: boolean;
};

export function listenerConditions(
  listener: JudgedListener,
  { invalidKinds, refusedOptions, crowded }: ListenerFindings,
): readonly GatewayCondition[] {
  return [
    accepted(listener, crowded),
    conflicted(listener),
    resolvedRefs(listener, invalidKinds),
    ...(listener.overlaps
      ? [
          condition(
            'OverlappingTLSConfig',
            'True',
            'OverlappingHostnames',
            'Another HTTPS listener of the port has a hostname in common; connections that are reused across the two get 421',
          ),
        ]
      : []),
    ...(refusedOptions.length === 0
      ? []
      : [
          condition(
            'netloom.dev/OptionRefused',
            'True',
            'UnsupportedOption',
            `Without effect: ${refusedOptions.join('; ')}`,
          ),
        ]),
  ];
}

export function condition(
  type: string,
  status: GatewayCondition['status'],
  reason: string,
  message: string,
): GatewayCondition {
  return { type, status, reason, message: shortened(message) };
}

/** The API server refuses a status with a message of more than 32,768 characters, and nobody reads that many. */
export function shortened(message: string): string {
  return message.length <= longest ? message : `${message.slice(0, longest)}…`;
}

const longest = 2_000;

export function conditionOf(
  conditions: readonly GatewayCondition[],
  type: string,
): GatewayCondition | undefined {
  return conditions.find((each) => each.type === type);
}

function accepted(listener: JudgedListener, crowded: boolean): GatewayCondition {
  const { owner, protocol, unentitled, conflict, validation, model } = listener;
  const refuse = (reason: string, message: string) => condition('Accepted', 'False', reason, message);
  if ('reason' in protocol) return refuse(protocol.reason, protocol.message);
  if (unentitled !== undefined) return refuse(unentitled.reason, unentitled.message);
  // Of a Gateway's listener the specification has no reason for it; of a ListenerSet's the conflict itself.
  if (conflict !== undefined)
    return refuse(owner.kind === 'Gateway' ? 'Invalid' : conflict, conflictText(listener));
  if (validation !== undefined && validation.certificates === undefined)
    return refuse('NoValidCACertificate', 'There is nothing to judge client certificates by');
  if (crowded)
    return refuse('PortUnavailable', `All listening sockets of its kind are taken; ${model.port} gets none`);
  return condition('Accepted', 'True', 'Accepted', 'It can be served');
}

function conflicted(listener: JudgedListener): GatewayCondition {
  const { conflict } = listener;
  return conflict === undefined
    ? condition('Conflicted', 'False', 'NoConflicts', 'It is distinct')
    : condition('Conflicted', 'True', conflict, conflictText(listener));
}

/** Other objects' listeners aren't named: they may be of somebody else. */
function conflictText({ conflict, model: { port, protocol, hostname } }: JudgedListener): string {
  return conflict === 'HostnameConflict'
    ? `Another listener of port ${port} has ${hostname === undefined ? 'no hostname, too' : `the hostname ${hostname}, too`}`
    : `Another listener of port ${port} can't be served beside ${protocol}`;
}

function resolvedRefs(listener: JudgedListener, invalidKinds: readonly string[]): GatewayCondition {
  const { certificateRefused, validation } = listener;
  const refused = certificateRefused ?? validation?.refused;
  if (refused !== undefined) return condition('ResolvedRefs', 'False', refused.reason, refused.message);
  if (invalidKinds.length > 0) {
    const kinds = invalidKinds.join(', ');
    return condition('ResolvedRefs', 'False', 'InvalidRouteKinds', `Takes no routes of the kinds ${kinds}`);
  }
  return condition('ResolvedRefs', 'True', 'ResolvedRefs', 'All that it names is there');
}
