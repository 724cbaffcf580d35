import { afterEach, describe, expect, it, vi } from 'vitest'
import { logLevel } from '../../../ts/index.ts'
import { Kafka } from '../../../ts/kafka/kafka.ts'
import { logged } from '../support/kafka.ts'

afterEach(() => vi.unstubAllGlobals())

/** A browser that answers this when it is asked to keep the origin's storage. */
function browser(answer: () => Promise<boolean>) {
  const persist = vi.fn(answer)
  vi.stubGlobal('navigator', { storage: { persist } })
  return persist
}

function open(persist: boolean | undefined, storage: 'indexeddb' | 'memory') {
  const { entries, logCreator } = logged()
  const asked = persist === undefined ? {} : { persist }
  const kafka = new Kafka({ name: 'kept', storage, logCreator, logLevel: logLevel.INFO, ...asked })
  // Taking the node opens nothing yet.
  const connection = kafka['connect']()
  kafka['connect']().release()
  connection.release()
  return entries
}

describe('keeping storage', () => {
  it('is asked for once, and only where the application wants it', async () => {
    const persist = browser(async () => true)
    open(undefined, 'indexeddb')
    open(false, 'indexeddb')
    open(true, 'memory')
    expect(persist).not.toHaveBeenCalled()
    expect(open(true, 'indexeddb')).toEqual([])
    expect(persist).toHaveBeenCalledTimes(1)
  })

  it('says so where the browser refuses, cannot, or fails', async () => {
    for (const answer of [async () => false, async () => Promise.reject(new Error('no'))]) {
      browser(answer)
      const entries = open(true, 'indexeddb')
      await vi.waitFor(() => expect(entries).toHaveLength(1))
    }
    vi.stubGlobal('navigator', {})
    const entries = open(true, 'indexeddb')
    await vi.waitFor(() => expect(entries).toHaveLength(1))
  })
})
