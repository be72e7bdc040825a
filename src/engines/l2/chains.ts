/** The rules that answer on one interface: a question becomes its answer in place, and goes back where it came from. */
import { createHash } from 'node:crypto';
import type { Responder } from './objects.ts';

export type Chain = {
  readonly name: string;
  /** Of a base chain: its rules see what comes in by this device. */
  readonly device?: string;
  readonly rules: readonly string[];
};

/** Frames of a VLAN pass here before they come to their own device: what has a tag is not for this one. */
const untagged = (type: 'arp' | 'ip6'): string => `ether type ${type}`;

/**
 * Those that are led to come first. A chain's name says its contents (by a hash), so that what stands is known by its names and
 * numbers of rules: nft prints these rules back in other words.
 */
export function chainsOf(responder: Responder): readonly Chain[] {
  const { device, ifindex } = responder;
  const arp = arpAnswer(responder);
  const ndp = ndpAnswer(responder);
  const bare = bareAnswer(responder);
  const contents = [arp, ndp, bare, base('', '', '')];
  const hash = createHash('sha256')
    .update(JSON.stringify([device, contents]))
    .digest('hex')
    .slice(0, 8);
  const name = (what: string) => `${what}-${ifindex}-${hash}`;
  return [
    { name: name('arp'), rules: arp },
    { name: name('ndp'), rules: ndp },
    { name: name('bare'), rules: bare },
    { name: name('in'), device, rules: base(name('arp'), name('ndp'), name('bare')) },
  ];
}

/** A question whose asker has no address only wants to know whether the address is free (RFC 5227, RFC 4862): not for us to say. */
function base(arp: string, ndp: string, bare: string): readonly string[] {
  const solicitation =
    'icmpv6 type nd-neighbor-solicit icmpv6 code 0 ip6 hoplimit 255 ip6 saddr != :: @th,32,32 0';
  const held6 = 'iifname . icmpv6 taddr @held6';
  return [
    'meta protocol != @alive accept',
    `${untagged('arp')} arp operation request arp htype 1 arp hlen 6 arp saddr ip != 0.0.0.0 iifname . arp daddr ip @held4 goto ${arp}`,
    `${untagged('ip6')} ${solicitation} ip6 length 32 @th,192,16 0x0101 ${held6} goto ${ndp}`,
    `${untagged('ip6')} ${solicitation} ip6 length 24 ${held6} goto ${bare}`,
  ];
}

/** RFC 826: who asked becomes the target, the address that was asked for the sender. The field of the unknown MAC carries it over. */
function arpAnswer({ device, mac }: Responder): readonly string[] {
  return [
    '@nh,144,32 set @nh,192,32',
    '@nh,192,32 set @nh,112,32',
    '@nh,112,32 set @nh,144,32',
    'arp operation set reply',
    'ether daddr set arp saddr ether',
    `ether saddr set ${mac}`,
    'arp daddr ether set arp saddr ether',
    `arp saddr ether set ${mac}`,
    `fwd to "${device}"`,
  ];
}

/**
 * RFC 4861 §7.2.4: a solicitation with its sender's MAC as its only option becomes an advertisement (solicited, override) with ours. nft
 * keeps the checksum right only for fields that it knows by name, and knows none behind the target. So what changes there goes through
 * one that it does know, where an advertisement has its flags (`mtu`, in the name of another type): the old value is put there
 * unnoticed, then replaced by the new one under its eyes, and so the checksum moves by the difference.
 */
function ndpAnswer({ device, mac }: Responder): readonly string[] {
  const digits = mac.replaceAll(':', '');
  const [front, back] = [digits.slice(0, 8), digits.slice(8)];
  return [
    'ip6 daddr set ip6 saddr',
    'ip6 saddr set icmpv6 taddr',
    'icmpv6 type set packet-too-big',
    '@th,32,32 set @th,208,32',
    `icmpv6 mtu set ${Number.parseInt(front, 16)}`,
    `@th,208,32 set 0x${front}`,
    '@th,32,32 set 0',
    '@th,32,16 set @th,240,16',
    `icmpv6 mtu set ${Number.parseInt(back, 16) * 0x1_0000}`,
    `@th,240,16 set 0x${back}`,
    '@th,32,32 set 0',
    // The flags, and the step of the option's type from 1 to 2, which the sum takes in here.
    `icmpv6 mtu set ${flags + 0x100}`,
    `@th,32,32 set ${flags}`,
    '@th,192,8 set 2',
    ...sendBack(device, mac),
  ];
}

/** A host that asks one that it knows needn't say its MAC, and the answer needn't either. */
function bareAnswer({ device, mac }: Responder): readonly string[] {
  return [
    'ip6 daddr set ip6 saddr',
    'ip6 saddr set icmpv6 taddr',
    'icmpv6 type set packet-too-big',
    `icmpv6 mtu set ${flags}`,
    ...sendBack(device, mac),
  ];
}

/** Solicited, override. */
const flags = 0x6000_0000;

function sendBack(device: string, mac: string): readonly string[] {
  return [
    'icmpv6 type set nd-neighbor-advert',
    'ether daddr set ether saddr',
    `ether saddr set ${mac}`,
    `fwd to "${device}"`,
  ];
}
