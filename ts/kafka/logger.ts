/** How much is logged. */
export const logLevel = { NOTHING: 0, ERROR: 1, WARN: 2, INFO: 4, DEBUG: 5 } as const

/** One of the levels: KafkaJS's enum is a value and a type of this name. */
export type logLevel = (typeof logLevel)[keyof typeof logLevel]

/** One of the levels. */
export type LogLevel = logLevel

/** What a log function is given. */
export interface LogEntry {
  namespace: string
  level: LogLevel
  label: string
  log: LoggerEntryContent
}

/** The message, and what was said with it. */
export interface LoggerEntryContent {
  readonly timestamp: string
  readonly message: string
  [key: string]: unknown
}

/** Makes the function that writes log entries. */
export type LogCreator = (level: LogLevel) => (entry: LogEntry) => void

/** Logs under a namespace. */
export interface Logger {
  info(message: string, extra?: object): void
  error(message: string, extra?: object): void
  warn(message: string, extra?: object): void
  debug(message: string, extra?: object): void
  /** A logger under another namespace; without a level of its own it follows the others. */
  namespace(namespace: string, level?: LogLevel): Logger
  /** Changes the level of this logger, and of all that have none of their own, if this one has none. */
  setLogLevel(level: LogLevel): void
}

const LABELS: Record<number, string> = { 0: 'NOTHING', 1: 'ERROR', 2: 'WARN', 4: 'INFO', 5: 'DEBUG' }

/** One JSON line an entry, on the console, as KafkaJS writes it. */
export const consoleLogCreator: LogCreator = () => (entry) => {
  const { namespace, label, log } = entry
  const message = namespace === '' ? log.message : `[${namespace}] ${log.message}`
  const method = METHODS[label] ?? 'log'
  console[method](JSON.stringify({ level: label, ...log, message }))
}

const METHODS: Record<string, 'error' | 'warn' | 'info'> = { ERROR: 'error', WARN: 'warn', INFO: 'info' }

/** A logger over `creator`. */
export function createLogger(level: LogLevel, creator: LogCreator): Logger {
  const write = creator(level)
  let shared = level
  const under = (namespace: string, own?: LogLevel): Logger => {
    let threshold = own
    const log =
      (wanted: LogLevel) =>
      (message: string, extra: object = {}) => {
        if (wanted > (threshold ?? shared)) return
        const label = LABELS[wanted] ?? ''
        const timestamp = new Date().toISOString()
        write({ namespace, level: wanted, label, log: { timestamp, logger: 'headwater', message, ...extra } })
      }
    return {
      info: log(logLevel.INFO),
      error: log(logLevel.ERROR),
      warn: log(logLevel.WARN),
      debug: log(logLevel.DEBUG),
      namespace: under,
      setLogLevel: (next) => {
        if (threshold === undefined) shared = next
        else threshold = next
      },
    }
  }
  return under('')
}
