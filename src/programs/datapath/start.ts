/** The datapath's first look at the machine: journal and kernel are compared before the first ADD. */
import { recover } from '#compile/ipam/recover.ts';
import { type Assignment, applyRecord, snapshotRecords } from '#compile/ipam/state.ts';
import { dumpLinks, readLink } from '#engines/netlink/link-messages.ts';
import { dumpAddresses, readAddress } from '#engines/netlink/messages.ts';
import { deletePodLink, type FoundPodLink, listPodLinks } from '#engines/netlink/pod.ts';
import type { Family } from '#net/addr.ts';
import { links } from '#system/registry.ts';
import { openRouteSocket } from '#system/rtnetlink.ts';
import type { Log } from '#telemetry/log.ts';
import { type Journal, loadJournal, openJournal } from './journal.ts';

export type Started = {
  readonly state: ReturnType<typeof loadJournal>['state'];
  readonly journal: Journal;
  /** Running pods, to be handed to the engines with the first intent. */
  readonly adopted: readonly { readonly found: FoundPodLink; readonly assignment: Assignment }[];
};

/**
 * Loads the journal, rebuilds what it lost from the pods' devices, and writes it anew. A device that the whole journal doesn't
 * know is what is left of an ADD that was never answered, or of a DEL that was: it is removed.
 */
export async function startAddresses(path: string, log: Log, restMs: number): Promise<Started> {
  const { state, lost, problems } = loadJournal(path);
  const devices = listPodLinks();
  const tunnel = lost ? tunnelAssignments() : [];
  // A new machine has no journal, no pods and no tunnel: nothing was lost.
  const rebuild = lost && (devices.length > 0 || tunnel.length > 0 || problems.length > 0);
  for (const problem of problems)
    log.warn('the address journal is damaged; rebuilding it from the kernel', { path, problem });
  if (rebuild)
    log.warn('freed addresses may be missing from the journal: all rest first', { seconds: restMs / 1000 });

  const adopted: { found: FoundPodLink; assignment: Assignment }[] = [];
  for (const found of devices) {
    const assignment = assignmentOf(found, state.assignments.get(found.endpoint ?? ''));
    if (assignment !== undefined && (rebuild || state.assignments.has(assignment.key)))
      adopted.push({ found, assignment });
    else {
      log.info('removing what is left of a pod interface', { device: found.name, endpoint: found.endpoint });
      await deletePodLink({ hostName: found.name });
    }
  }
  const live = [...adopted.map(({ assignment }) => assignment), ...tunnel];
  const recovered = recover(state, live, Date.now(), rebuild);
  for (const problem of recovered.problems) log.error('two pod interfaces show one address', { problem });
  for (const record of recovered.value) {
    const refused = applyRecord(state, record);
    if (refused !== undefined) log.error('not recovered', { reason: refused });
  }
  const journal = await openJournal(path, () => snapshotRecords(state, Date.now(), restMs));
  const owned = adopted.filter(({ assignment }) => state.assignments.has(assignment.key));
  log.info('addresses loaded', {
    pods: owned.length,
    resting: state.resting.size,
    recovered: recovered.value.length,
  });
  return { state, journal, adopted: owned };
}

/**
 * What the device shows, whichever release wired it; what it doesn't show (routes may have been flushed) is as the journal says.
 * A device without alias never carried a packet.
 */
function assignmentOf(found: FoundPodLink, known: Assignment | undefined): Assignment | undefined {
  if (found.endpoint === undefined) return undefined;
  const addresses = found.addresses.length > 0 ? ordered(found.addresses) : known?.addresses;
  if (addresses === undefined) return undefined;
  // An ADD that was cut off, or somebody's flush, may have left only some of the routes.
  if (known !== undefined && addresses.every((address) => known.addresses.includes(address))) return known;
  const pod = known?.pod ?? { namespace: '', name: found.endpoint, uid: '' };
  // Which Subnet the addresses are of is known again with the first intent.
  return { subnet: '', mode: 'overlay', since: Date.now(), ...known, key: found.endpoint, pod, addresses };
}

function ordered(addresses: readonly string[]): string[] {
  return addresses.toSorted((a, b) => Number(a.includes(':')) - Number(b.includes(':')));
}

/** The node's own addresses on the tunnel: connections to other nodes' pods run from them. */
function tunnelAssignments(): Assignment[] {
  const socket = openRouteSocket();
  try {
    const tunnel = socket.dump(dumpLinks, readLink).find(({ name }) => name === links.tunnel.value);
    const own = socket
      .dump(dumpAddresses, readAddress)
      .filter(({ ifindex, length }) => ifindex === tunnel?.ifindex && (length === 32 || length === 128))
      .map(({ address }) => address)
      .filter((address) => !address.startsWith('fe80:'));
    return own.map((address) => {
      const key = tunnelKey(address.includes(':') ? 6 : 4);
      return { key, subnet: '', mode: 'overlay', addresses: [address], since: Date.now() };
    });
  } finally {
    socket.close();
  }
}

/** The key of the node's own address of a family in overlay Subnets. */
export function tunnelKey(family: Family): string {
  return `node/tunnel${family}`;
}
