import { Kafka, type KafkaConfig, type LogEntry, logLevel } from '../../../ts/index.ts'
import type { EachMessagePayload } from '../../../ts/public.ts'

let logs = 0

/** Fast enough for tests, and never at the same pace. */
export const retry = { initialRetryTime: 10, retries: 2, maxRetryTime: 50 }

/** A log of its own, in memory, that says nothing. */
export function memory(config: KafkaConfig = {}): Kafka {
  logs += 1
  return new Kafka({ name: `log-${logs}`, storage: 'memory', logLevel: logLevel.NOTHING, retry, ...config })
}

/** What a logger was told. */
export function logged(): { entries: LogEntry[]; logCreator: () => (entry: LogEntry) => void } {
  const entries: LogEntry[] = []
  return { entries, logCreator: () => (entry) => void entries.push(entry) }
}

/** Resolves when `condition` holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 10_000
  while (!condition()) {
    if (Date.now() > end) throw new Error(`it did not come about that ${what}`)
    await pause(5)
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

/** Values as text. */
export function textOf({ message }: EachMessagePayload): string {
  return String(message.value)
}

/** Sends these values to a topic. */
export async function send(kafka: Kafka, topic: string, values: string[], partition?: number): Promise<void> {
  const producer = kafka.producer()
  await producer.connect()
  const place = partition === undefined ? {} : { partition }
  await producer.send({ topic, messages: values.map((value) => ({ value, ...place })) })
  await producer.disconnect()
}

export function numbers(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => String(from + index))
}
