import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Kafka, logLevel } from '../../../ts/index.ts'
import { createTracker, type Message, type Tracker, type TrackerOptions } from '../../../ts/tracker/index.ts'
import { numbers, textOf, until } from '../support/kafka.ts'

let logs = 0
const trackers: Tracker[] = []

afterEach(async () => {
  vi.unstubAllGlobals()
  await Promise.allSettled(trackers.splice(0).map((tracker) => tracker.close()))
})

/** A tracker whose collector takes everything. */
function tracking(options: Partial<TrackerOptions> = {}) {
  logs += 1
  const name = `tracker-${logs}`
  const kafka = new Kafka({ name, storage: 'memory', logLevel: logLevel.NOTHING })
  const requests: string[] = []
  const fetch = async (url: unknown) => {
    requests.push(String(url))
    return Response.json({ v: 1, answers: [{ result: 'accepted' }] })
  }
  const endpoint = 'https://collect.example.com/v1/batches'
  const given = {
    kafka,
    name,
    endpoint,
    writeKey: 'key',
    fetch: fetch as typeof globalThis.fetch,
    lingerMs: 0,
  }
  const tracker = createTracker({ ...given, ...options })
  trackers.push(tracker)
  return { kafka, tracker, requests }
}

/** What is in the log, with its keys. */
async function recorded(kafka: Kafka, count: number): Promise<{ key: string; message: Message }[]> {
  const consumer = kafka.consumer({ groupId: 'test' })
  const found: { key: string; message: Message }[] = []
  await consumer.subscribe({ topics: ['events'], fromBeginning: true })
  await consumer.run({
    eachMessage: async (payload) =>
      void found.push({ key: String(payload.message.key), message: JSON.parse(textOf(payload)) }),
  })
  await until(() => found.length >= count, `${count} messages are in the log`)
  await consumer.disconnect()
  return found
}

describe('a tracker', () => {
  test('may be used at once, and keeps the order', async () => {
    const { tracker, kafka, requests } = tracking()
    for (const id of numbers(100)) tracker.track('clicked', { id })
    await tracker.flush()
    const found = await recorded(kafka, 100)
    expect(found.map(({ message }) => message.properties?.['id'])).toEqual(numbers(100))
    await tracker.ready()
    await until(() => requests.length > 0, 'they are delivered')
    expect(requests[0]).toBe('https://collect.example.com/v1/batches')
  })

  test('gives its messages the Segment spec’s fields', async () => {
    vi.stubGlobal('navigator', { userAgent: 'Test/1', language: 'de-AT' })
    vi.stubGlobal('screen', { width: 800, height: 600 })
    vi.stubGlobal('document', { title: 'Shop', referrer: 'https://from.example.com/' })
    vi.stubGlobal('location', { href: 'https://shop.example.com/a?b#token=c', pathname: '/a', search: '?b' })
    const { tracker, kafka } = tracking()
    tracker.track('Product Viewed', { sku: 7 })
    tracker.page('Home', { beta: true })
    tracker.identify('ada', { plan: 'pro' })
    tracker.track('after')
    await tracker.flush()
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8'))
    const page = {
      url: 'https://shop.example.com/a?b',
      path: '/a',
      search: '?b',
      title: 'Shop',
      referrer: 'https://from.example.com/',
    }
    const common = {
      messageId: expect.stringMatching(/^[0-9a-f-]{36}-\w+$/),
      anonymousId: tracker.anonymousId,
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      context: {
        library: { name: 'headwater', version },
        userAgent: 'Test/1',
        locale: 'de-AT',
        timezone: expect.any(String),
        screen: { width: 800, height: 600, density: 1 },
        page,
      },
    }
    const found = await recorded(kafka, 4)
    expect(found.map(({ message }) => message)).toEqual([
      { ...common, type: 'track', event: 'Product Viewed', properties: { sku: 7 }, userId: null },
      { ...common, type: 'page', name: 'Home', properties: { ...page, beta: true }, userId: null },
      { ...common, type: 'identify', traits: { plan: 'pro' }, userId: 'ada' },
      { ...common, type: 'track', event: 'after', properties: {}, userId: 'ada' },
    ])
    expect(new Set(found.map(({ message }) => message.messageId)).size).toBe(4)
    expect(found.map(({ key }) => key)).toEqual([tracker.anonymousId, tracker.anonymousId, 'ada', 'ada'])
  })

  test('records what was given, whatever becomes of it', async () => {
    const { tracker, kafka } = tracking()
    const properties = { step: 1 }
    tracker.track('a', properties)
    properties.step = 2
    tracker.track('b', properties)
    await tracker.flush()
    const found = await recorded(kafka, 2)
    expect(found.map(({ message }) => message.properties?.['step'])).toEqual([1, 2])
  })

  test('tells what it took, and where each message is', async () => {
    const { tracker, kafka } = tracking()
    await kafka.admin().createTopics({ topics: [{ topic: 'events', numPartitions: 4 }] })
    const taken: string[] = []
    const stored = new Map<string, string>()
    tracker.on('recorded', ({ messageId }) => taken.push(messageId))
    tracker.on('stored', ({ messages }) => {
      for (const { messageId, partition, offset } of messages) stored.set(messageId, `${partition}/${offset}`)
    })
    for (const user of ['ada', 'bob', 'ada', 'eve', 'bob']) tracker.identify(user)
    expect(taken).toHaveLength(5)
    await tracker.flush()
    expect([...stored.keys()].toSorted()).toEqual(taken.toSorted())
    const consumer = kafka.consumer({ groupId: 'places' })
    const places = new Map<string, string>()
    await consumer.subscribe({ topics: ['events'], fromBeginning: true })
    await consumer.run({
      eachMessage: async (payload) => {
        const { messageId } = JSON.parse(textOf(payload)) as Message
        places.set(messageId, `${payload.partition}/${payload.message.offset}`)
      },
    })
    await until(() => places.size === 5, 'all are read')
    await consumer.disconnect()
    expect(stored).toEqual(places)
  })

  test('loses nothing silently', async () => {
    const { tracker, kafka } = tracking()
    const dropped: { count: number; error: Error }[] = []
    tracker.on('dropped', (event) => dropped.push(event))
    const circular: Record<string, unknown> = {}
    circular['self'] = circular
    tracker.track('circular', circular)
    expect(dropped).toMatchObject([{ count: 1, error: { name: 'TypeError' } }])
    tracker.track('before')
    tracker.track('large', { text: 'x'.repeat(2 << 20) })
    tracker.track('after')
    await expect(tracker.flush()).rejects.toMatchObject({ type: 'MESSAGE_TOO_LARGE' })
    expect(dropped).toMatchObject([{}, { count: 1, error: { type: 'MESSAGE_TOO_LARGE' } }])
    const found = await recorded(kafka, 2)
    expect(found.map(({ message }) => message.event)).toEqual(['before', 'after'])
    await tracker.flush()
  })

  test('properties that throw when they are looked at do not break the page', async () => {
    const { tracker } = tracking()
    const dropped: string[] = []
    tracker.on('dropped', ({ error }) => dropped.push(error.message))
    const getter = {
      get secret(): string {
        throw new Error('no entry')
      },
    }
    const ownKeys = () => {
      throw new Error('no keys')
    }
    tracker.track('getter', getter)
    tracker.page('proxy', new Proxy({}, { ownKeys }))
    tracker.identify('ada', getter)
    expect(dropped).toEqual(['no entry', 'no keys', 'no entry'])
  })

  test.each([undefined, null, '', {}, Symbol('id')])('nobody is called %s', async (userId) => {
    const { tracker, kafka } = tracking()
    tracker.identify('ada')
    tracker.identify(userId as string, { plan: 'pro' })
    expect(tracker.userId).toBe('ada')
    tracker.identify(7 as never)
    expect(tracker.userId).toBe('7')
    await tracker.flush()
    const found = await recorded(kafka, 3)
    expect(found[1]).toMatchObject({ key: 'ada', message: { userId: 'ada', traits: { plan: 'pro' } } })
  })

  test('shows messages to the application, which may change or forget them', async () => {
    const prepare = (message: Message) => {
      if (message.event === 'forgotten') return null
      if (message.event === 'broken') throw new Error('no idea')
      if (message.event === 'other') return { ...message, userId: 'eve' }
      message.properties = { ...message.properties, token: 'removed' }
      delete message.context.userAgent
      return undefined
    }
    vi.stubGlobal('navigator', { userAgent: 'Test/1' })
    const { tracker, kafka } = tracking({ prepare })
    const told: (string | undefined)[] = []
    tracker.on('recorded', ({ event }) => told.push(event))
    const dropped: string[] = []
    tracker.on('dropped', ({ error }) => dropped.push(error.message))
    for (const event of ['a', 'forgotten', 'broken', 'other']) tracker.track(event, { token: 'secret' })
    await tracker.flush()
    expect(told).toEqual(['a', 'other'])
    expect(dropped).toEqual(['no idea'])
    const found = await recorded(kafka, 2)
    const first = found.find(({ message }) => message.event === 'a')
    expect(first?.message.properties).toEqual({ token: 'removed' })
    expect(first?.message.context.userAgent).toBeUndefined()
    const second = found.find(({ message }) => message.event === 'other')
    expect(second).toMatchObject({ key: 'eve', message: { context: { userAgent: 'Test/1' } } })
  })

  test('a collector that moves keeps its name, and gets what waited', async () => {
    const away = async () => {
      throw new TypeError('Failed to fetch')
    }
    const endpoint = 'https://old.example.com/v1/batches'
    const { tracker, kafka } = tracking({ endpoint, fetch: away as typeof globalThis.fetch })
    tracker.track('x')
    await tracker.flush()
    await tracker.ready()
    await tracker.close()
    const { requests } = tracking({ kafka, collector: endpoint })
    await until(() => requests.length > 0, 'it is delivered')
    expect(requests[0]).toBe('https://collect.example.com/v1/batches')
  })

  test('has a limit, beyond which it counts', async () => {
    const { tracker } = tracking()
    let dropped = 0
    tracker.on('dropped', ({ count }) => {
      dropped += count
    })
    for (let index = 0; index < 100_010; index++) tracker.track('x')
    expect(dropped).toBe(10)
    await tracker.flush()
  })

  test('a topic that goes elsewhere is told as stuck', async () => {
    const { tracker, kafka } = tracking()
    await tracker.ready()
    await tracker.close()
    const endpoint = 'https://other.example.com/'
    const other = createTracker({ kafka, writeKey: 'key', endpoint })
    trackers.push(other)
    const stuck: object[] = []
    other.on('stuck', (event) => stuck.push(event))
    await expect(other.ready()).rejects.toMatchObject({ type: 'SINK_CONFLICT' })
    await until(() => stuck.length > 0, 'it is told')
    expect(stuck).toMatchObject([{ topic: 'events', partition: -1, code: 'SINK_CONFLICT' }])
    other.track('x')
    await other.flush()
  })

  test('checks what it is given', () => {
    expect(() => createTracker({ writeKey: 7 as never, endpoint: 'x' })).toThrow('Invalid writeKey')
    expect(() => createTracker({ writeKey: '', endpoint: '' })).toThrow('Invalid endpoint')
  })

  test('hands everything over when the page is hidden', async () => {
    const page = Object.assign(new EventTarget(), { visibilityState: 'visible', title: '', referrer: '' })
    vi.stubGlobal('document', page)
    vi.stubGlobal('location', { href: '', pathname: '', search: '' })
    const { tracker } = tracking()
    await tracker.ready()
    let stored = 0
    tracker.on('stored', ({ messages }) => {
      stored += messages.length
    })
    const text = 'x'.repeat(100_000)
    for (let index = 0; index < 50; index++) tracker.track('x', { text })
    page.visibilityState = 'hidden'
    page.dispatchEvent(new Event('visibilitychange'))
    await until(() => stored === 50, 'all are stored')
  })
})
