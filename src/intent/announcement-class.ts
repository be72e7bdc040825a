/** What is said of an announced prefix, as one number: the metric of its kernel route, by which BGP's filters know it. */
import type { AnnouncementIntent } from './loadbalancer.ts';

/** Neither a metric that routes of blocks have, nor one that FRR reads as a distance (its high byte). */
const first = 0x1_0000;
const count = 0x100_0000 - first;

/** Equal for prefixes of which the same is said to the same neighbors. */
export function classText({ neighbors, communities, localPreference, others }: AnnouncementIntent): string {
  return JSON.stringify([neighbors, communities, localPreference, others]);
}

/** Of the text alone (FNV-1a), so that it is the same for whoever asks and stays while others come and go. */
export function classNumber(text: string): number {
  let hash = 0x811c_9dc5;
  for (let index = 0; index < text.length; index++) {
    hash ^= text.charCodeAt(index);
    hash = Math.imul(hash, 0x0100_0193);
  }
  // Twice, since the last characters reach the high bits only then.
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x0100_0193);
  return first + (((hash ^ (hash >>> 13)) >>> 0) % count);
}
