import { afterEach, describe, expect, test, vi } from 'vitest'
import { consoleLogCreator, createLogger, logLevel } from '../../../ts/kafka/logger.ts'
import { logged } from '../support/kafka.ts'

afterEach(() => vi.restoreAllMocks())

describe('the logger', () => {
  test('has the methods that KafkaJS’s has', () => {
    const logger = createLogger(logLevel.INFO, logged().logCreator)
    expect(Object.keys(logger).toSorted()).toEqual([
      'debug',
      'error',
      'info',
      'namespace',
      'setLogLevel',
      'warn',
    ])
  })

  test('gives the creator its level, and entries of KafkaJS’s shape', () => {
    const { entries, logCreator } = logged()
    const creator = vi.fn(logCreator)
    const logger = createLogger(logLevel.WARN, creator).namespace('Consumer')
    expect(creator).toHaveBeenCalledWith(logLevel.WARN)
    logger.warn('careful', { topic: 't' })
    logger.info('not this')
    expect(entries).toEqual([
      {
        namespace: 'Consumer',
        level: logLevel.WARN,
        label: 'WARN',
        log: {
          timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
          logger: 'headwater',
          message: 'careful',
          topic: 't',
        },
      },
    ])
  })

  test('has a level a namespace', () => {
    const { entries, logCreator } = logged()
    const logger = createLogger(logLevel.ERROR, logCreator)
    const chatty = logger.namespace('chatty', logLevel.DEBUG)
    chatty.debug('one')
    logger.debug('two')
    logger.setLogLevel(logLevel.NOTHING)
    logger.error('three')
    expect(entries.map(({ log }) => log.message)).toEqual(['one'])
  })

  test('has one level for all that have none of their own', () => {
    const { entries, logCreator } = logged()
    const logger = createLogger(logLevel.ERROR, logCreator)
    const before = logger.namespace('before')
    const own = logger.namespace('own', logLevel.ERROR)
    before.setLogLevel(logLevel.INFO)
    for (const each of [logger, before, own]) each.info('heard?')
    own.setLogLevel(logLevel.INFO)
    own.info('now')
    expect(entries.map(({ namespace, log }) => [namespace, log.message])).toEqual([
      ['', 'heard?'],
      ['before', 'heard?'],
      ['own', 'now'],
    ])
  })

  test('writes a line of JSON to the console', () => {
    const writes = (['error', 'warn', 'info', 'log'] as const).map((method) =>
      vi.spyOn(console, method).mockImplementation(() => undefined),
    )
    const logger = createLogger(logLevel.DEBUG, consoleLogCreator)
    logger.namespace('Admin').error('bad')
    logger.warn('hm')
    logger.info('well')
    logger.debug('so')
    const lines = writes.map((write) => JSON.parse(String(write.mock.calls[0]?.[0])))
    expect(lines).toMatchObject([
      { level: 'ERROR', logger: 'headwater', message: '[Admin] bad' },
      { level: 'WARN', logger: 'headwater', message: 'hm' },
      { level: 'INFO', logger: 'headwater', message: 'well' },
      { level: 'DEBUG', logger: 'headwater', message: 'so' },
    ])
  })
})
