/** What MetalLB's kinds and Services of type LoadBalancer say of addresses, as validated data. */
import type { LabelSelector } from '#api/object.ts';
import type { Protocol } from '#intent/node.ts';
import type { Origin } from '#intent/origin.ts';
import type { Family } from '#net/addr.ts';
import type { Range } from '#net/range.ts';

/** An IPAddressPool. */
export type AddressPoolModel = {
  readonly origin: Origin;
  readonly name: string;
  /** RFC 3339; of two pools that overlap the older one stays. */
  readonly created: string;
  readonly labels: Readonly<Record<string, string>>;
  /** In the object's order: addresses are handed out from the first on. */
  readonly ranges: readonly Range[];
  readonly autoAssign: boolean;
  /** IPv4 addresses that end in .0 or .255 are left out. */
  readonly avoidsBuggyAddresses: boolean;
  /** Only for Services of these namespaces or with these labels, and before pools for everybody. */
  readonly allocation?: {
    /** 1 is the best; 0: after all others. */
    readonly priority: number;
    readonly namespaces: readonly string[];
    readonly namespaceSelectors: readonly LabelSelector[];
    readonly serviceSelectors: readonly LabelSelector[];
  };
};

/** A Service of type LoadBalancer that is ours to serve: of no class, or of our class. */
export type LoadBalancerModel = {
  readonly origin: Origin;
  /** `namespace/name`. */
  readonly key: string;
  readonly namespace: string;
  readonly uid: string;
  /** RFC 3339. */
  readonly created: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of its cluster addresses, in their order: the families that it may have addresses of. */
  readonly families: readonly Family[];
  readonly familyPolicy: 'SingleStack' | 'PreferDualStack' | 'RequireDualStack';
  /** Asked for by annotation or spec.loadBalancerIP, canonical. */
  readonly requested?: { readonly field: string; readonly addresses: readonly string[] };
  /** What it asks for can't be read: it keeps what it has, and gets nothing. */
  readonly unreadable?: true;
  /** Asked for by annotation. */
  readonly pool?: string;
  /** Services with the same key may have one address. */
  readonly sharingKey?: string;
  /** externalTrafficPolicy Local. */
  readonly local: boolean;
  /** Of its pods, as text that is equal where the selectors are. */
  readonly selector: string;
  readonly ports: readonly { readonly protocol: Protocol; readonly port: number }[];
  /** Of its status, canonical, in their order. */
  readonly assigned: readonly string[];
  /** Where the addresses came from, as the annotation says that was written with them. */
  readonly assignedFrom?: string;
  /** Node that is to answer for it before others, as the annotation `netloom.dev/announcer` says. */
  readonly announcer?: string;
  /** A node whose endpoints all end announces it for as long as one serves, as the annotation `netloom.dev/announce-while: serving` says. */
  readonly whileServing?: true;
  readonly deleted: boolean;
};

/** What an L2Advertisement or BGPAdvertisement takes. Of each list an empty one takes everything. */
export type AdvertisementScope = {
  readonly origin: Origin;
  readonly name: string;
  readonly created: string;
  /** Names of pools, or labels of them; both empty: every pool. */
  readonly pools: readonly string[];
  readonly poolSelectors: readonly LabelSelector[];
  readonly nodeSelectors: readonly LabelSelector[];
  readonly serviceSelectors: readonly LabelSelector[];
};
