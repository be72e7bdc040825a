/** Pods and the numbers of policy as elements. */
import { describe, expect, it } from 'vitest';
import { classOf, handleText, lowerSubject } from './lower-policy.ts';

describe('a subject', () => {
  const endpoint = {
    origin: { kind: 'Pod', namespace: 'd', name: 'a' },
    podUID: 'u1',
    device: 'nlp1',
    ifindex: 1,
    mac: '',
    addresses: ['10.244.1.1', 'fd10::1'],
    subnet: 's',
    mode: 'overlay' as const,
  };
  const subject = { origin: endpoint.origin, uid: 'u1', ingress: 7 };

  it('leads its addresses to the chain of their class', () => {
    expect(lowerSubject(endpoint, subject, () => true)).toEqual({
      elements: [
        { set: 'ingressClasses4', key: '10.244.1.1', data: 'goto policyIngress7' },
        { set: 'ingressClasses6', key: 'fd10::1', data: 'goto policyIngress7' },
      ],
      chains: ['policyIngress7'],
      problems: [],
    });
    expect(lowerSubject(endpoint, undefined, () => true).elements).toEqual([]);
  });

  it('is closed for another pod of its name, and by the name where a UID is not known', () => {
    expect(classOf(endpoint, { ...subject, uid: 'u2' }, 'ingress')).toBe('closed');
    expect(classOf(endpoint, { ...subject, uid: 'u2' }, 'egress')).toBe('closed');
    expect(classOf(endpoint, { ...subject, uid: '' }, 'ingress')).toBe(7);
    expect(classOf({}, { ...subject, uid: 'u2' }, 'ingress')).toBe(7);
    expect(classOf(endpoint, { ...subject, ingress: 5_000 }, 'ingress')).toBe('closed');
  });
});

it('writes handles as nft does', () => {
  expect([0, 16, 0xf_ffff, 0x70_0010, 0xffff_ffff].map(handleText)).toEqual([
    'none',
    '0:10',
    'f:ffff',
    '70:10',
    'root',
  ]);
});
