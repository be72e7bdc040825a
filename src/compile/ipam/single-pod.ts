/** What one pod needs of the claims of single addresses: what is its, what to claim, what to take over, or why it waits. */
import { annotations } from '#model/annotations.ts';
import type { AddressHolder } from '#model/blockclaim.ts';
import type { Family } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { type AddrSet, emptySet, has, ofFamily, setOfPrefixes, size, subtract } from '#net/set.ts';
import { blockName, prefixes } from './blocks.ts';
import { spread } from './claims.ts';
import { type Placement, usableFor } from './placement.ts';
import { pickFrom } from './pools.ts';
import type { PodAddresses, SinglePod, SingleSituation } from './single.ts';
import { addressOf, type Book, keptFor, type Single, singleOf } from './single-book.ts';

/** Writes what is to be done into the book. */
export function decidePod(each: SinglePod, situation: SingleSituation, book: Book): PodAddresses {
  const { pod, placement } = each;
  const mine = book.own.filter(
    ({ holder }) => holder.podUID === pod.uid && holder.freedAt === undefined && isOf(holder, pod),
  );
  const wired = mine.filter((claim) => situation.wired.has(addressOf(claim)));
  // What runs stays as it is, whatever its annotations say by now.
  if (wired.length > 0) return have(wired, placement, book);
  const sound = mine.filter((claim) => book.blockOver(addressOf(claim)) === undefined);
  return placement.entries === undefined
    ? decideFree(each, sound, situation, book)
    : decideNamed(each, placement.entries, sound, situation, book);
}

/** Addresses that the pod names: the first entry that is free as a whole. */
function decideNamed(
  each: SinglePod,
  entries: NonNullable<Placement['entries']>,
  mine: readonly Single[],
  situation: SingleSituation,
  book: Book,
): PodAddresses {
  const { pod } = each;
  const own = new Set(mine.map(addressOf));
  const kept = keptFor(each, book);
  const before = entries.filter(({ addresses }) => addresses.some((address) => own.has(address)));
  const staying = entries.filter(({ addresses }) =>
    kept.some((claim) => addresses.includes(addressOf(claim))),
  );
  // What is kept is waited for; a pod of a StatefulSet looks at its own place in the list first.
  const wanted = staying.length > 0 ? staying : [...new Set([...before, ...fromOwnPlace(entries, pod)])];
  const reasons: string[] = [];
  for (const entry of wanted) {
    const steps = entry.addresses.map((address) => obtain(address, each, situation, book));
    const refused = steps.flatMap((step) => ('refused' in step ? [step.refused] : []));
    if (refused.length > 0) {
      reasons.push(refused[0]!);
      continue;
    }
    return carryOut(steps, each, book);
  }
  const first = reasons.slice(0, 3).join('; ');
  if (entries.length === 1) return { refused: `${annotations.addresses}: ${first}` };
  const more = reasons.length > 3 ? ' …' : '';
  const what = staying.length > 0 ? 'the kept entry' : `none of the ${entries.length} entries`;
  return {
    refused: `${annotations.addresses}: ${what} is free for pod ${placementName(pod)}: ${first}${more}`,
  };
}

/** Any address of the pool, or of the Subnet outside of blocks and pools; one a family. */
function decideFree(
  each: SinglePod,
  mine: readonly Single[],
  situation: SingleSituation,
  book: Book,
): PodAddresses {
  const { pod, placement } = each;
  const usable = usableFor(placement, situation) ?? emptySet;
  const steps: Step[] = [];
  const kept = keptFor(each, book).filter(({ cidr }) => has(usable, parsePrefix(cidr)!));
  for (const family of [4, 6] as const) {
    const whole = ofFamily(usable, family);
    const isOf = (claim: Single) => claim.cidr.includes(':') === (family === 6);
    const there = mine.find(isOf) ?? kept.find(isOf);
    if (there !== undefined) steps.push(obtain(addressOf(there), each, situation, book));
    else if (whole.ranges.length > 0) steps.push(pick(family, whole, each, situation, book));
  }
  const refused = steps.flatMap((step) => ('refused' in step ? [step.refused] : []));
  if (steps.length === 0) {
    const what = placement.pool === undefined ? `Subnet ${placement.subnet}` : `IPPool ${placement.pool}`;
    refused.push(`${what} has no address for pod ${placementName(pod)}`);
  }
  return refused.length > 0 ? { refused: refused.join('; ') } : carryOut(steps, each, book);
}

/** What one address of a pod takes. */
type Step =
  | { readonly mine: Single }
  | { readonly take: Single }
  | { readonly create: string }
  /** Asked for, and not in the watch yet. */
  | { readonly pending: true }
  | { readonly refused: string };

function pick(
  family: Family,
  whole: AddrSet,
  { pod, placement }: SinglePod,
  { node, attempt, asked }: SingleSituation,
  book: Book,
): Step {
  const taken = setOfPrefixes(prefixes([...book.given].map(singleOf)));
  const free = subtract(subtract(whole, book.claimed()), taken);
  const count = size(free);
  const seed = `${pod.namespace} ${placement.keep ?? pod.uid} ${node} ${family} ${attempt}`;
  const address = pickFrom(free, count, spread(seed));
  if (address !== undefined) {
    return asked.size > 0 ? { pending: true } : { create: address };
  }
  const what = placement.pool === undefined ? `Subnet ${placement.subnet}` : `IPPool ${placement.pool}`;
  return {
    refused:
      `${what}: no free IPv${family} address: all ${size(whole)} are held, rest after use, or are in blocks that nodes ` +
      `assign from (kubectl get blockclaims -o wide)`,
  };
}

function obtain(address: string, each: SinglePod, situation: SingleSituation, book: Book): Step {
  const { pod } = each;
  if (book.given.has(address)) return { refused: `${address} is being claimed for another pod` };
  const claim = book.byAddress.get(address);
  const block = book.blockOver(address);
  if (block !== undefined) {
    return {
      refused: `${address} lies in block ${block.cidr}, which node ${block.node} assigns addresses from (BlockClaim ${block.name}); an IPPool keeps addresses out of new blocks`,
    };
  }
  if (claim === undefined) {
    const name = blockName(singleOf(address));
    return name !== undefined && situation.asked.has(name) ? { pending: true } : { create: address };
  }
  const { holder, node } = claim;
  const isHere = node === situation.node && claim.nodeUID === situation.nodeUID;
  if (isHere && holder.podUID === pod.uid && holder.freedAt === undefined) return { mine: claim };
  const who = `pod ${holder.namespace}/${holder.pod}`;
  const isLeft =
    holder.freedAt !== undefined ||
    (isHere && situation.isCurrent && !situation.alive.has(holder.podUID) && !situation.wired.has(address));
  if (mayFollow(each, holder)) {
    if (isLeft) return { take: claim };
    return {
      refused: `${address} is still on the interface of ${who} on node ${node}; it comes when that is gone`,
    };
  }
  if (holder.keep !== undefined) {
    const [kind, name] = holder.keep.split(':');
    return { refused: `${address} is kept for ${kind} ${name} of namespace ${holder.namespace}` };
  }
  if (isLeft) return { refused: `${address} rests after its use by ${who}` };
  return { refused: `${address} is held by ${who} on node ${node}` };
}

/** Whether a pod may have an address next after another one, without a rest: it is named by both, or kept for both. */
function mayFollow({ pod, placement }: SinglePod, holder: AddressHolder): boolean {
  if (holder.namespace !== pod.namespace) return false;
  if (holder.keep !== undefined) return holder.keep === placement.keep;
  return holder.fixed === true && placement.entries !== undefined;
}

function carryOut(steps: readonly Step[], each: SinglePod, book: Book): PodAddresses {
  const mine: Single[] = [];
  for (const step of steps) {
    if ('mine' in step) mine.push(step.mine);
    else if ('take' in step) {
      const { holder } = step.take;
      book.take.push({ claim: step.take, holder: holderOf(each, holder.generation + 1) });
      book.needed.add(step.take.uid);
    } else if ('create' in step) {
      book.given.add(step.create);
      const { subnet } = each.placement;
      book.create.push({ cidr: singleOf(step.create), subnet, holder: holderOf(each, 1) });
    }
  }
  for (const claim of mine) book.needed.add(claim.uid);
  if (mine.length === steps.length) return have(mine, each.placement, book);
  return { refused: 'its addresses are being claimed' };
}

function have(claims: readonly Single[], { entries, mac }: Placement, book: Book): PodAddresses {
  for (const claim of claims) book.needed.add(claim.uid);
  const addresses = claims.map(addressOf).sort((a, b) => Number(a.includes(':')) - Number(b.includes(':')));
  const entry = entries?.find((each) => each.addresses.includes(addresses[0]!));
  return { addresses, mac: entry?.mac ?? mac };
}

function holderOf({ pod, placement }: SinglePod, generation: number): AddressHolder {
  const { pool, keep, release, entries } = placement;
  return {
    namespace: pod.namespace,
    pod: pod.name,
    podUID: pod.uid,
    ...(pool === undefined ? {} : { pool }),
    ...(entries === undefined ? {} : { fixed: true }),
    ...(keep === undefined ? {} : { keep, ...(release === undefined ? {} : { release }) }),
    ...(keep === undefined || pod.statefulSet === undefined ? {} : { statefulSet: pod.statefulSet }),
    generation,
  };
}

/** Pods of a StatefulSet start at the entry of their ordinal, so that each has its own as long as the list is long enough. */
function fromOwnPlace<Entry>(entries: readonly Entry[], pod: SinglePod['pod']): readonly Entry[] {
  const ordinal = pod.statefulSet === undefined ? undefined : /-(\d{1,9})$/.exec(pod.name)?.[1];
  const start = ordinal === undefined ? 0 : Number(ordinal) % entries.length;
  return [...entries.slice(start), ...entries.slice(0, start)];
}

function isOf(holder: AddressHolder, pod: SinglePod['pod']): boolean {
  return holder.namespace === pod.namespace && holder.pod === pod.name;
}

function placementName({ namespace, name }: SinglePod['pod']): string {
  return `${namespace}/${name}`;
}
