import type { Bytes } from '../native/frames.ts'

const MULTIPLIER = 0x5bd1e995
const encoder = new TextEncoder()

/**
 * The hash of KafkaJS 1.x: murmur2 but for its products, which lose their low bits in floating point, and for a last
 * partial word that is mixed in twice. It is kept as it was, because records lie where it put them.
 */
export function legacyMurmur2(key: Bytes): number {
  const data = typeof key === 'string' ? encoder.encode(key) : key
  const byte = (at: number) => data[at] ?? 0
  const length = data.length
  let hash = 0x9747b28c ^ length
  for (let at = 0; at < length; at += 4) {
    let word = byte(at) + (byte(at + 1) << 8) + (byte(at + 2) << 16) + (byte(at + 3) << 24)
    word *= MULTIPLIER
    word ^= word >>> 24
    word *= MULTIPLIER
    hash *= MULTIPLIER
    hash ^= word
  }
  const whole = length & ~3
  if (whole < length) {
    for (let at = length - 1; at >= whole; at--) hash ^= byte(at) << (8 * (at - whole))
    hash *= MULTIPLIER
  }
  hash ^= hash >>> 13
  hash *= MULTIPLIER
  return hash ^ (hash >>> 15)
}
