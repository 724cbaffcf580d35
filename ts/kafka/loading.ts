import { fromNative, KafkaJSError } from './errors.ts'

/** The part of the API that is not there from the start. */
export async function late(): Promise<typeof import('./late.ts')> {
  try {
    return await import('./late.ts')
  } catch (error) {
    const { message } = fromNative(error)
    throw new KafkaJSError(`A part of headwater could not be loaded: ${message}`, {
      retriable: true,
      kind: 'Unavailable',
      cause: error,
    })
  }
}
