const MULTIPLIER = 0x5bd1e995
const SEED = 0x9747b28c
const encoder = new TextEncoder()

/** Kafka's murmur2 of a key, as a signed 32-bit integer: the hash of Java's client. */
export function murmur2(key: string | Uint8Array): number {
  const bytes = typeof key === 'string' ? encoder.encode(key) : key
  const whole = bytes.length & ~3
  let hash = SEED ^ bytes.length
  for (let at = 0; at < whole; at += 4) {
    const word = Math.imul(littleEndian(bytes, at, 4), MULTIPLIER)
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word ^ (word >>> 24), MULTIPLIER)
  }
  if (whole < bytes.length) {
    hash = Math.imul(hash ^ littleEndian(bytes, whole, bytes.length - whole), MULTIPLIER)
  }
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER)
  return hash ^ (hash >>> 15)
}

/** The partition of a key among `count`, as Kafka's default partitioner has it. */
export function partitionForKey(key: string | Uint8Array, count: number): number {
  return (murmur2(key) & 0x7fffffff) % count
}

function littleEndian(bytes: Uint8Array, at: number, length: number): number {
  let word = 0
  for (let index = length - 1; index >= 0; index--) word = (word << 8) | (bytes[at + index] ?? 0)
  return word
}
