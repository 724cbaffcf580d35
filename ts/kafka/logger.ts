/** How much is logged. */
export const logLevel = { NOTHING: 0, ERROR: 1, WARN: 2, INFO: 4, DEBUG: 5 } as const

/** One of the levels. */
export type LogLevel = (typeof logLevel)[keyof typeof logLevel]

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
  namespace(namespace: string, level?: LogLevel): Logger
  setLogLevel(level: LogLevel): void
}

const LABELS: Record<number, string> = { 0: 'NOTHING', 1: 'ERROR', 2: 'WARN', 4: 'INFO', 5: 'DEBUG' }

/** One JSON line an entry, on the console. */
export const consoleLogCreator: LogCreator = () => (entry) => {
  const { namespace, label, level, log } = entry
  const line = JSON.stringify({ level: label, ...log, logger: namespace === '' ? 'headwater' : namespace })
  if (level === logLevel.ERROR) console.error(line)
  else if (level === logLevel.WARN) console.warn(line)
  else console.log(line)
}

/** A logger over `creator`. */
export function createLogger(level: LogLevel, creator: LogCreator): Logger {
  const write = creator(level)
  const under = (namespace: string, first: LogLevel): Logger => {
    let threshold = first
    const log =
      (wanted: LogLevel) =>
      (message: string, extra: object = {}) => {
        if (wanted > threshold) return
        const label = LABELS[wanted] ?? ''
        const timestamp = new Date().toISOString()
        write({ namespace, level: wanted, label, log: { timestamp, logger: 'headwater', message, ...extra } })
      }
    return {
      info: log(logLevel.INFO),
      error: log(logLevel.ERROR),
      warn: log(logLevel.WARN),
      debug: log(logLevel.DEBUG),
      namespace: (name, own) => under(name, own ?? threshold),
      setLogLevel: (next) => {
        threshold = next
      },
    }
  }
  return under('', level)
}
