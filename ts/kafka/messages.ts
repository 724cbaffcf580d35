import type { Bytes, FrameHeader, Frames } from '../native/frames.ts'
import { isEmpty } from './validate.ts'

/** Headers of a message that is sent. An array gives a header that many times; `undefined` leaves it out. */
export interface Headers {
  [key: string]: Bytes | Bytes[] | undefined
}

/** A message to send. */
export interface Message {
  /** What messages that belong together share: they go to one partition, in order. Default `null`. */
  key?: Bytes | null
  /** The content; `null` is a tombstone. */
  value: Bytes | null
  /** The partition to write to. Default: the partitioner's choice. */
  partition?: number | null
  /** Names and values that travel beside the content. */
  headers?: Headers
  /** Milliseconds since 1970. Default: now. */
  timestamp?: string | number | bigint
}

/** How a send is done. */
export interface SendOptions {
  /**
   * What the acknowledgement promises: -1 that the records survive a power cut, 1 that they survive the tab and the
   * browser, 0 nothing (the answer is empty, and losses are logged). Default -1.
   */
  acks?: number
  /** Accepted and ignored: there is no network to wait for. */
  timeout?: number
  /** How the records are stored, if that makes them smaller: one of `CompressionTypes`. Default `None`. */
  compression?: number
  /**
   * Stops the wait, which then rejects with the signal's reason. A signal that is aborted already stops the send; one
   * that is aborted later does not: the records are stored all the same.
   */
  signal?: AbortSignal
}

/** What `send` is given. */
export interface ProducerRecord extends SendOptions {
  /** A name of up to 249 of the characters `a-z A-Z 0-9 . _ -`. */
  topic: string
  /** Stored in this order within a partition. */
  messages: Message[]
}

/** Messages of one topic in a batch. */
export interface TopicMessages {
  topic: string
  messages: Message[]
}

/** What `sendBatch` is given. */
export interface ProducerBatch extends SendOptions {
  /** Entries of one topic are one append, in this order. Default none. */
  topicMessages?: TopicMessages[]
}

/** Where the records of a send went in one partition. */
export interface RecordMetadata {
  topicName: string
  partition: number
  /** Always 0: what fails rejects. */
  errorCode: number
  /** The offset of the first record, as a decimal string; '-1' inside of a transaction. */
  baseOffset: string
  /** When the log appended it, in milliseconds since 1970; '-1' where the records kept their own times. */
  logAppendTime: string
  /** The first offset that can be read, as a decimal string. */
  logStartOffset: string
}

/** Chooses the partition of a message; -1 leaves the choice to the log. */
export type Choice = (message: Message) => number

/** Frames messages, each with its partition. */
export function frame(frames: Frames, messages: Message[], choose: Choice): void {
  const now = Date.now()
  for (const message of messages) {
    const { key = null, value, headers, timestamp } = message
    const time = isEmpty(timestamp) ? now : Number(timestamp)
    frames.add(choose(message), time, key, value, headerList(headers))
  }
}

/** Messages by topic, in order. */
export function byTopic(topicMessages: TopicMessages[]): Map<string, Message[]> {
  const grouped = new Map<string, Message[]>()
  for (const { topic, messages } of topicMessages) {
    const known = grouped.get(topic)
    grouped.set(topic, known === undefined ? messages : known.concat(messages))
  }
  return grouped
}

const NO_HEADERS: FrameHeader[] = []

function headerList(headers: Headers | undefined): FrameHeader[] {
  if (headers === undefined) return NO_HEADERS
  return Object.entries(headers).flatMap(([key, value]): FrameHeader[] => {
    if (Array.isArray(value)) return value.map((each) => [key, each])
    return value === undefined ? [] : [[key, value]]
  })
}
