/** Barriers in the book: computed again where wildcards of a listener, names that somebody holds, or grants change. */
import type { Holding } from '../entries/holding.ts';
import type { GatewayView } from '../gateway-view.ts';
import type { Asking } from '../inputs.ts';
import type { Lookups } from '../lookups.ts';
import type { Attachment } from '../types.ts';
import { createBarriers } from './barriers.ts';
import type { FirstHolders } from './first-holders.ts';

export type BarrierStage = {
  /** Where a route is served. */
  set(route: string, namespace: string, attachments: readonly Attachment[]): void;
  /** After the routes. */
  settle(): void;
};

export type BarrierStageContext = {
  readonly lookups: Lookups;
  readonly ask: Asking;
  readonly views: ReadonlyMap<string, GatewayView>;
  readonly holders: FirstHolders;
  readonly holdingOf: (instance: string) => Holding | undefined;
};

export function createBarrierStage(context: BarrierStageContext): BarrierStage {
  const { lookups, ask, views, holders, holdingOf } = context;
  const barriers = createBarriers(ask, holders);
  /** By listener, the Gateway that it is of. */
  const gateways = new Map<string, string>();
  /** By listener, the instance that has its barriers. */
  const raised = new Map<string, string>();

  const raise = (listener: string): void => {
    const gateway = gateways.get(listener) ?? '';
    const view = views.get(gateway);
    const rules = lookups.track('barrier', listener, () => {
      lookups.note(`parent Gateway/${gateway}`);
      lookups.note(`names of ${view?.instance}`);
      return view === undefined ? {} : barriers.rules(listener, view.terms);
    });
    const old = raised.get(listener);
    if (old !== undefined && old !== view?.instance) holdingOf(old)?.need(`barrier ${listener}`, {});
    if (view === undefined || Object.keys(rules).length === 0) raised.delete(listener);
    else raised.set(listener, view.instance);
    if (view !== undefined) holdingOf(view.instance)?.need(`barrier ${listener}`, { rules });
  };

  return {
    set(route, namespace, attachments) {
      for (const listener of barriers.set(route, namespace, attachments)) lookups.mark('barrier', listener);
      for (const { gateway, listeners } of attachments)
        for (const { listener } of listeners) gateways.set(listener.key, gateway);
    },
    settle() {
      for (const listener of lookups.take('barrier')) raise(listener);
    },
  };
}
