/** HostnameGrants by the names that they are about, so that a question costs the same however many there are. */
import type { HostnameGrantModel } from '#model/gateway/policy-types.ts';
import { byText } from '../age.ts';
import { wider } from '../hostnames.ts';

export type HostnameGrants = {
  /** `undefined` removes. Topics of `zoneTopic` of which something else may be said than before. */
  set(key: string, grant: HostnameGrantModel | undefined): readonly string[];
  /** Those that decide about a hostname: of all that cover it those with the most specific name. */
  about(hostname: string): readonly HostnameGrantModel[];
  /** All names of grants that are below a wildcard; of '' all there are. */
  below(wide: string): readonly string[];
};

const wholeZone = '';

/** What somebody looks at who asks about a hostname. Names of one zone share their last two labels; those of one label are of the zone ''. */
export function zoneTopic(hostname: string): string {
  return `hostnames of ${zoneOf(hostname)}`;
}

export function createHostnameGrants(): HostnameGrants {
  const grants = new Map<string, HostnameGrantModel>();
  const byHostname = new Map<string, Set<string>>();
  return {
    set(key, grant) {
      const before = grants.get(key)?.hostnames ?? [];
      for (const hostname of before) {
        const keys = byHostname.get(hostname);
        keys?.delete(key);
        if (keys?.size === 0) byHostname.delete(hostname);
      }
      for (const hostname of grant?.hostnames ?? [])
        byHostname.set(hostname, (byHostname.get(hostname) ?? new Set<string>()).add(key));
      if (grant === undefined) grants.delete(key);
      else grants.set(key, grant);
      return [...new Set([...before, ...(grant?.hostnames ?? [])].map(zoneTopic))];
    },
    about(hostname) {
      for (const each of [hostname, ...wider(hostname)]) {
        const keys = byHostname.get(each);
        if (keys !== undefined) return [...keys].sort(byText).flatMap((key) => grants.get(key) ?? []);
      }
      return [];
    },
    below(wide) {
      const end = wide.slice(1);
      return [...byHostname.keys()].filter((each) => each !== wide && each.endsWith(end)).sort(byText);
    },
  };
}

function zoneOf(hostname: string): string {
  const labels = hostname.split('.').filter((label) => label !== '*');
  return labels.length < 2 ? wholeZone : labels.slice(-2).join('.');
}
