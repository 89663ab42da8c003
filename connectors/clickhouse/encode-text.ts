/** Texts, and types that are written as text, in RowBinary. */
import { isIP, SocketAddress } from 'node:net';
import { encodeJson } from '../../model/value.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { Encoder } from './encoder.ts';
import { Misfit } from '../misfit.ts';

/** Anything but null: numbers, true, false, arrays and objects as their JSON. */
export function stringEncoder(): Encoder {
  return {
    write(value, to) {
      if (typeof value === 'string') return to.text(value);
      if (value === null) throw new Misfit('a text (String)', value);
      to.text(encodeJson(value));
    },
    copies: 'text',
    missing: (to) => to.u8(0),
  };
}

export function fixedStringEncoder(width: number): Encoder {
  const wanted = `a text of at most ${width} bytes (FixedString)`;
  return {
    write(value, to) {
      if (typeof value !== 'string' || !to.fixedText(value, width)) throw new Misfit(wanted, value);
    },
    missing: (to) => to.zeros(width),
  };
}

const uuid = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i;

/** Two little-endian halves. */
export function uuidEncoder(): Encoder {
  return {
    write(value, to) {
      const found = typeof value === 'string' ? uuid.exec(value) : null;
      if (found === null) throw new Misfit('a UUID like 61f0c404-5cb3-11e7-907b-a6006ad3dba0', value);
      const [, a = '', b = '', c = '', d = '', e = ''] = found;
      to.u32(parseInt(b + c, 16));
      to.u32(parseInt(a, 16));
      to.u32(parseInt(e.slice(4), 16));
      to.u32(parseInt(d + e.slice(0, 4), 16));
    },
    missing: (to) => to.zeros(16),
  };
}

export function ipv4Encoder(): Encoder {
  return {
    write(value, to) {
      if (typeof value !== 'string' || isIP(value) !== 4) throw new Misfit('an address like 192.0.2.1 (IPv4)', value);
      for (const part of value.split('.').reverse()) to.u8(Number(part));
    },
    missing: (to) => to.zeros(4),
  };
}

export function ipv6Encoder(): Encoder {
  const wanted = 'an address like 2001:db8::1 (IPv6)';
  return {
    write(value, to) {
      if (typeof value !== 'string' || value.includes('%')) throw new Misfit(wanted, value);
      const version = isIP(value);
      if (version === 0) throw new Misfit(wanted, value);
      writeIpv6(version === 4 ? `::ffff:${value}` : value, to);
    },
    missing: (to) => to.zeros(16),
  };
}

function writeIpv6(text: string, to: ByteWriter): void {
  // The runtime's own form: lower case, and dotted only after ::ffff:, so that one expansion is enough.
  const { address } = new SocketAddress({ address: text, family: 'ipv6' });
  const [head = '', tail] = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, dottedToGroups).split('::');
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const middle = new Array<number>(8 - before.length - after.length).fill(0);
  for (const group of [...before, ...middle, ...after]) {
    to.u8(group >>> 8);
    to.u8(group & 0xff);
  }
}

function groups(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => parseInt(group, 16));
}

function dottedToGroups(_: string, a: string, b: string, c: string, d: string): string {
  return [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((group) => group.toString(16)).join(':');
}
