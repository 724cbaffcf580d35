import { describe, expect, test } from 'vitest'
import * as headwater from '../../../ts/index.ts'
import { fromNative, KafkaJSNumberOfRetriesExceeded } from '../../../ts/kafka/errors.ts'
import { retryOptions, retryTime } from '../../../ts/kafka/retry.ts'

function native(fields: object): Error {
  return Object.assign(new Error('it failed'), {
    kind: 'Invalid',
    code: 'X',
    number: 0,
    retriable: false,
    ...fields,
  })
}

describe('errors', () => {
  test('bear the names of their classes', () => {
    const classes = Object.entries(headwater).filter(([name]) => name.startsWith('KafkaJS'))
    expect(classes).toHaveLength(28)
    for (const [name, made] of classes) {
      const make = made as new (message: unknown, details: unknown) => Error
      const error = new make(name.includes('Records') ? { partitions: [] } : 'message', {})
      expect(error).toBeInstanceOf(Error)
      expect(error.name).toBe(name)
      expect(error.message).not.toBe('')
    }
  })

  test('of the wasm become KafkaJS’s', () => {
    const error = fromNative(native({ code: 'UNKNOWN_TOPIC_OR_PARTITION', number: 3 }))
    expect(error).toBeInstanceOf(headwater.KafkaJSProtocolError)
    expect(error).toMatchObject({
      message: 'it failed',
      type: 'UNKNOWN_TOPIC_OR_PARTITION',
      code: 3,
      kind: 'Invalid',
      retriable: false,
      cause: expect.any(Error),
    })
    const range = fromNative(native({ code: 'OFFSET_OUT_OF_RANGE', number: 1 }))
    expect(range).toBeInstanceOf(headwater.KafkaJSOffsetOutOfRange)
  })

  test('of our own are no errors of the protocol', () => {
    const full = { code: 'STORAGE_QUOTA_EXCEEDED', number: 1006, kind: 'Full', retriable: true }
    const error = fromNative(native(full))
    expect(error).not.toBeInstanceOf(headwater.KafkaJSProtocolError)
    expect(error).toMatchObject({ type: 'STORAGE_QUOTA_EXCEEDED', code: 1006, kind: 'Full', retriable: true })
    expect(fromNative(native({ code: 'INTERNAL', number: -1 })).name).toBe('KafkaJSError')
  })

  test('of unknown origin are defects', () => {
    const cause = new TypeError('x is not a function')
    expect(fromNative(cause)).toMatchObject({
      message: cause.message,
      cause,
      kind: 'Internal',
      retriable: false,
    })
    expect(fromNative('text')).toMatchObject({ message: 'text', kind: 'Internal' })
    const known = new headwater.KafkaJSError('known')
    expect(fromNative(known)).toBe(known)
  })

  test('made of another keep what it says', () => {
    const first = new headwater.KafkaJSProtocolError('gone', {
      type: 'X',
      code: 7,
      retriable: false,
      helpUrl: 'https://x',
    })
    const second = new headwater.KafkaJSProtocolError(first)
    expect(second).toMatchObject({
      message: 'gone',
      type: 'X',
      code: 7,
      retriable: false,
      helpUrl: 'https://x',
      cause: first,
    })
    expect(new headwater.KafkaJSCreateTopicError(second, 't', { code: 8 })).toMatchObject({
      type: 'X',
      code: 8,
      topic: 't',
    })
  })

  test('are retriable or not, as in KafkaJS', () => {
    const retriable = (error: headwater.KafkaJSError) => error.retriable
    expect(retriable(new headwater.KafkaJSError('x'))).toBe(true)
    expect(retriable(new headwater.KafkaJSError('x', { retriable: false }))).toBe(false)
    expect(retriable(new headwater.KafkaJSProtocolError('x'))).toBe(true)
    const final = [
      headwater.KafkaJSNonRetriableError,
      headwater.KafkaJSTimeout,
      headwater.KafkaJSLockTimeout,
      headwater.KafkaJSNotImplemented,
      headwater.KafkaJSInvariantViolation,
    ]
    for (const made of final) expect(retriable(new made('x')), made.name).toBe(false)
    const deleted = (...errors: headwater.KafkaJSError[]) => {
      const partitions = errors.map((error) => ({ partition: 0, offset: '0', error }))
      return retriable(new headwater.KafkaJSDeleteTopicRecordsError({ partitions }))
    }
    expect(deleted(new headwater.KafkaJSError('x'))).toBe(true)
    expect(deleted(new headwater.KafkaJSError('x'), new headwater.KafkaJSTimeout('x'))).toBe(false)
  })

  test('tell that there is no network to configure', () => {
    for (const name of ['ssl', 'sasl', 'socketFactory']) {
      const make = (value: unknown) => () => new headwater.Kafka({ storage: 'memory', [name]: value })
      expect(make(true)).toThrow(headwater.KafkaJSNotImplemented)
      expect(make({})).toThrow(`${name} means nothing here: there is no connection to a broker`)
      expect(make(undefined)).not.toThrow()
      expect(make(false)).not.toThrow()
    }
  })

  test('that exhausted their tries carry the last one', () => {
    const cause = new Error('again')
    const error = new KafkaJSNumberOfRetriesExceeded(cause, { retryCount: 5, retryTime: 900 })
    expect(error).toMatchObject({ message: 'again', cause, retryCount: 5, retryTime: 900, retriable: false })
  })
})

describe('retries', () => {
  test('have KafkaJS’s defaults, and the last word wins', () => {
    expect(retryOptions()).toMatchObject({
      maxRetryTime: 30_000,
      initialRetryTime: 300,
      factor: 0.2,
      retries: 5,
    })
    expect(retryOptions({ retries: 1, factor: 0 }, undefined, { retries: 2 })).toMatchObject({
      retries: 2,
      factor: 0,
    })
  })

  test('wait longer and longer, up to a limit', () => {
    const options = retryOptions({ factor: 0 })
    expect([1, 2, 3, 20].map((attempt) => retryTime(options, attempt))).toEqual([300, 600, 1_200, 30_000])
    for (let round = 0; round < 100; round++) {
      const wait = retryTime(retryOptions(), 1)
      expect(wait).toBeGreaterThanOrEqual(240)
      expect(wait).toBeLessThanOrEqual(360)
    }
  })
})
