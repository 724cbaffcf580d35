import { validateNumbers } from './validate.ts'

/** How a failing handler is tried again. */
export interface RetryOptions {
  /** The longest wait, in milliseconds. Default 30000. */
  maxRetryTime?: number
  /** The first wait, in milliseconds. Default 300. */
  initialRetryTime?: number
  /** How far chance may move a wait, as a share of it. Default 0.2. */
  factor?: number
  /** What each wait is multiplied by. Default 2. */
  multiplier?: number
  /** How often. Default 5. */
  retries?: number
  /** Whether a consumer that has crashed begins again. Default: it does. */
  restartOnFailure?: (error: Error) => Promise<boolean>
}

const NUMBERS = ['maxRetryTime', 'initialRetryTime', 'factor', 'multiplier', 'retries']

/** The options with KafkaJS's defaults, which what is `undefined` leaves as they are. */
export function retryOptions(...given: (RetryOptions | undefined)[]): Required<RetryOptions> {
  const defaults = {
    maxRetryTime: 30_000,
    initialRetryTime: 300,
    factor: 0.2,
    multiplier: 2,
    retries: 5,
    restartOnFailure: async () => true,
  }
  for (const each of given) {
    validateNumbers(each ?? {}, NUMBERS)
    for (const [name, value] of Object.entries(each ?? {})) {
      if (value !== undefined) Object.assign(defaults, { [name]: value })
    }
  }
  return defaults
}

/** The wait before attempt `attempt` (from 1), in milliseconds. */
export function retryTime(options: Required<RetryOptions>, attempt: number): number {
  const wait = options.initialRetryTime * options.multiplier ** (attempt - 1)
  const moved = wait * (1 + options.factor * (Math.random() * 2 - 1))
  return Math.min(Math.round(moved), options.maxRetryTime)
}
