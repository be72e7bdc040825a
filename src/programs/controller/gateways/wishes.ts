/** Which Gateways are ours to serve, on which ports, and of which class; no sockets, no clock. */
import { isDeepStrictEqual } from 'node:util';
import { controllerName } from '#compile/gateway/types.ts';
import type { GatewayIntent } from '#intent/gateway.ts';
import type { GatewayClassModel, GatewayModel } from '#model/gateway/types.ts';
import type { Delta } from './fold.ts';

export type Wish = {
  readonly gateway: GatewayModel;
  /** Undefined: it is not ours to serve. */
  readonly ports: GatewayIntent['ports'] | undefined;
  /** It is another controller's, and what we made for it is to go. */
  readonly isForeign: boolean;
};

export type Wishes = {
  setClass(name: string, model: GatewayClassModel | undefined): void;
  /** Names of the classes that it had and has. */
  setGateway(key: string, model: GatewayModel | undefined): readonly string[];
  /** What changed of an instance; undefined: it is not ours to serve any more. Whether its ports are other ones. */
  take(gateway: string, delta: Delta | undefined): boolean;
  get(gateway: string): Wish | undefined;
  /** Gateways that are ours to serve. */
  served(): readonly string[];
  gateways(): readonly string[];
  classes(): readonly string[];
  isOurs(className: string): boolean;
  isUsed(className: string): boolean;
  /** Whether any Gateway has a class of ours. */
  hasOurs(): boolean;
};

export function createWishes(): Wishes {
  const classes = new Map<string, GatewayClassModel>();
  const gateways = new Map<string, GatewayModel>();
  const ports = new Map<string, GatewayIntent['ports']>();
  const isOurs = (name: string): boolean => classes.get(name)?.controllerName === controllerName;
  return {
    setClass: (name, model) => put(classes, name, model),
    setGateway(key, model) {
      const before = gateways.get(key)?.className;
      put(gateways, key, model);
      return [...new Set([before, model?.className])].filter((name) => name !== undefined);
    },
    take(gateway, delta) {
      const before = ports.get(gateway);
      put(ports, gateway, delta && portsAfter(before ?? {}, delta));
      return !isDeepStrictEqual(before, ports.get(gateway));
    },
    get(key) {
      const gateway = gateways.get(key);
      if (gateway === undefined) return undefined;
      // A class that is gone says nothing of whose the Gateway is now.
      const isForeign = classes.has(gateway.className) && !isOurs(gateway.className);
      return { gateway, ports: ports.get(key), isForeign };
    },
    served: () => [...ports.keys()],
    gateways: () => [...gateways.keys()],
    classes: () => [...classes.keys()],
    isOurs,
    isUsed: (name) => [...gateways.values()].some(({ className }) => className === name),
    hasOurs: () => [...gateways.values()].some(({ className }) => isOurs(className)),
  };
}

function portsAfter(before: GatewayIntent['ports'], { put: said, remove }: Delta): GatewayIntent['ports'] {
  const gone = new Set(remove['ports']);
  const kept = Object.entries(before).filter(([key]) => !gone.has(key));
  return { ...Object.fromEntries(kept), ...(said['ports'] as GatewayIntent['ports'] | undefined) };
}

function put<V>(map: Map<string, V>, key: string, value: V | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
