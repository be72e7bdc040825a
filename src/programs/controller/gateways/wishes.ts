/** Which Gateways and ALBs have an instance, on which ports; which classes are in use; no sockets, no clock. */
import { isDeepStrictEqual } from 'node:util';
import { albInstance } from '#compile/gateway/instances/derived-gateway.ts';
import { controllerName, type GatewayBook } from '#compile/gateway/types.ts';
import type { GatewayIntent } from '#intent/gateway.ts';
import type { ALBModel } from '#model/gateway/policy-types.ts';
import type { GatewayClassModel, GatewayModel } from '#model/gateway/types.ts';
import type { Delta } from './fold.ts';
import { albOwner, gatewayOwner, type InstanceOwner } from './owner.ts';

export type Wish = {
  readonly owner: InstanceOwner;
  readonly object:
    | { readonly kind: 'Gateway'; readonly model: GatewayModel }
    | { readonly kind: 'ALB'; readonly model: ALBModel };
  /** Undefined: it has no instance of its own. */
  readonly ports: GatewayIntent['ports'] | undefined;
  /** Another controller serves it, or another instance, or none that it asks for can: what we made for it is to go. */
  readonly isElsewhere: boolean;
};

export type Wishes = {
  setClass(name: string, model: GatewayClassModel | undefined): void;
  /** Names of the classes that it had and has. */
  setGateway(key: string, model: GatewayModel | undefined): readonly string[];
  setALB(key: string, model: ALBModel | undefined): void;
  /** What changed of an instance; undefined: there is none any more. Whether its ports are other ones. */
  take(instance: string, delta: Delta | undefined): boolean;
  get(instance: string): Wish | undefined;
  /** Instances that there are to be. */
  served(): readonly string[];
  /** Instances that there may be: one of each Gateway and ALB. */
  owners(): readonly string[];
  classes(): readonly string[];
  isOurs(className: string): boolean;
  isUsed(className: string): boolean;
  /** Whether there is an ALB, or any Gateway has a class of ours. */
  hasOurs(): boolean;
};

export function createWishes(book: Pick<GatewayBook, 'instanceOf' | 'isUnshared'>): Wishes {
  const albs = new Map<string, ALBModel>();
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
    setALB: (key, model) => put(albs, albInstance(key), model),
    take(instance, delta) {
      const before = ports.get(instance);
      put(ports, instance, delta && portsAfter(before ?? {}, delta));
      return !isDeepStrictEqual(before, ports.get(instance));
    },
    get(key) {
      const alb = albs.get(key);
      if (alb !== undefined) {
        const object = { kind: 'ALB', model: alb } as const;
        return { owner: albOwner(alb), object, ports: ports.get(key), isElsewhere: false };
      }
      const gateway = gateways.get(key);
      if (gateway === undefined) return undefined;
      // A class that is gone says nothing of whose the Gateway is now.
      const isForeign = classes.has(gateway.className) && !isOurs(gateway.className);
      // Where it has none, an instance of its own would go on with what it was told last, whatever is revoked meanwhile.
      const isElsewhere = isForeign || book.isUnshared(key) || (book.instanceOf(key) ?? key) !== key;
      const object = { kind: 'Gateway', model: gateway } as const;
      return { owner: gatewayOwner(gateway), object, ports: ports.get(key), isElsewhere };
    },
    served: () => [...ports.keys()],
    owners: () => [...gateways.keys(), ...albs.keys()],
    classes: () => [...classes.keys()],
    isOurs,
    isUsed: (name) => [...gateways.values()].some(({ className }) => className === name),
    hasOurs: () => albs.size > 0 || [...gateways.values()].some(({ className }) => isOurs(className)),
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
