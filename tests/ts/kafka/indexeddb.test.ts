import 'fake-indexeddb/auto'
import { afterEach, expect, test, vi } from 'vitest'
import { Kafka } from '../../../ts/index.ts'
import { numbers, send } from '../support/kafka.ts'

// An IndexedDB in Node.js that keeps to the letter of the specification, where browsers are milder: what fails behind
// commit() ends the transaction only where nobody prevents the default, and abort() is refused there.

let log = 0
const open = () => new Kafka({ name: `indexeddb-${++log}` })

async function values(kafka: Kafka, topic: string): Promise<string[]> {
  const consumer = kafka.consumer({ groupId: 'reader' })
  await consumer.assign([{ topic, partition: 0, offset: '0' }])
  const [{ high } = { high: '0' }] = await kafka.admin().fetchTopicOffsets(topic)
  const found: string[] = []
  for await (const message of consumer.stream()) {
    found.push(`${message.value}`)
    if (BigInt(message.offset) + 1n >= BigInt(high)) break
  }
  await consumer.disconnect()
  return found
}

async function commit(kafka: Kafka, topic: string, texts: string[]): Promise<void> {
  const producer = kafka.producer({ transactionalId: 'tx' })
  await producer.connect()
  const transaction = await producer.transaction()
  await transaction.send({ topic, messages: texts.map((value) => ({ value })) })
  await transaction.commit()
  await producer.disconnect()
}

afterEach(() => {
  vi.restoreAllMocks()
})

test('an append at an end that has moved meanwhile lands behind it', async () => {
  const kafka = open()
  await send(kafka, 't', ['plain'])
  await commit(kafka, 't', numbers(3))
  await send(kafka, 't', ['plain again'])
  expect(await values(kafka, 't')).toEqual(['plain', ...numbers(3), 'plain again'])
})

test('what fails behind the commit takes all of its transaction along', async () => {
  const kafka = open()
  await commit(kafka, 't', ['first'])
  const put = IDBObjectStore.prototype.put
  let commits = 0
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, value, key) {
    // The commit's row is there already: to add it fails, as a put does for which there is no room.
    const ofCommit = this.name === 'producers' && this.transaction.objectStoreNames.contains('batches')
    if (ofCommit) commits += 1
    if (!ofCommit || commits > 1) return put.call(this, value, key)
    return this.add(value, key)
  })
  await commit(kafka, 't', ['second'])
  expect(commits, 'it was tried again').toBe(2)
  expect(await values(kafka, 't')).toEqual(['first', 'second'])
})
