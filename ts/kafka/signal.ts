/** Does the work, unless the signal is aborted; waits for it, until the signal is. It rejects with the signal's reason. */
export function abortable<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  if (signal === undefined) return work()
  return new Promise((resolve, reject) => {
    const aborted = () => reject(signal.reason)
    if (signal.aborted) return aborted()
    signal.addEventListener('abort', aborted)
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', aborted))
  })
}
