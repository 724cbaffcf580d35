import type { Collector } from '../../../ts/collector/index.ts'
import { type Listed, request } from './wire.ts'

/** What the collector answers. */
export interface Answer {
  v: number
  time: number
  limits: { requestBytes: number; batchBytes: number }
  answers?: {
    topic: string
    partition: number
    status: number
    result: string
    baseOffset?: string
    partitions?: number
    signature?: string
    signedAt?: number
    error?: { kind: string; code: string; message: string; retriable: boolean }
    retryAfterMs?: number
  }[]
  error?: { kind: string; code: string; message: string; retriable: boolean }
}

export interface Page {
  highWatermark: string
  nextOffset: string
  records: { offset: string; key: string | null; value: string | null }[]
}

const ORIGIN = 'http://collector.test'

export async function post(
  collector: Collector,
  body: BodyInit | null,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; answer: Answer }> {
  const init = { method: 'POST', body, headers: { 'content-type': 'text/plain', ...headers } }
  const response = await collector(new Request(`${ORIGIN}/v1/batches`, init), { address: '192.0.2.1' })
  return { status: response.status, headers: response.headers, answer: (await response.json()) as Answer }
}

/** Registers what these batches name, and posts them. */
export async function deliver(collector: Collector, listed: Listed[], writeKey = 'key') {
  const first = await post(collector, request(listed, writeKey))
  const signed = listed.map((each, index) => {
    const { signature, signedAt } = first.answer.answers?.[index] ?? {}
    return signature === undefined ? each : { ...each, signature, signedAt }
  })
  return { ...(await post(collector, request(signed, writeKey))), signed }
}

export function results({ answer }: { answer: Answer }): string[] {
  return (answer.answers ?? []).map(({ result }) => result)
}

export async function get(collector: Collector, path: string, init?: RequestInit): Promise<Response> {
  return collector(new Request(ORIGIN + path, init))
}

export async function read(collector: Collector, query = '', topic = 'events'): Promise<Page> {
  return (await get(collector, `/v1/topics/${topic}/records${query}`)).json() as Promise<Page>
}

export async function values(collector: Collector, topic = 'events'): Promise<(string | null)[]> {
  return ((await read(collector, '?limit=1000', topic)).records ?? []).map(({ value }) => value)
}
