import { type Call, type Driver, drive } from './member.ts'

interface Answer {
  id: number
  result?: unknown
  error?: string
}

/** Workers of this page, by name, and who waits for their answers. */
const workers = new Map<string, { worker: Worker; calls: Map<number, (answer: Answer) => void> }>()
let calls = 0

/** Runs a method of the driver in the page, or in one of its workers, which is started where it is not. */
async function drivePage(
  worker: string | undefined,
  method: keyof Driver,
  args: unknown[],
): Promise<unknown> {
  if (worker === undefined) return drive(method, args)
  const started = workers.get(worker) ?? startWorker(worker)
  calls += 1
  const id = calls
  const { result, error } = await new Promise<Answer>((resolve) => {
    started.calls.set(id, resolve)
    started.worker.postMessage({ id, method, args } satisfies Call)
  })
  if (error !== undefined) throw new Error(error)
  return result
}

function startWorker(name: string) {
  const started = {
    worker: new Worker('/app.js', { type: 'module' }),
    calls: new Map<number, (answer: Answer) => void>(),
  }
  started.worker.onmessage = ({ data }: MessageEvent<Answer>) => {
    started.calls.get(data.id)?.(data)
    started.calls.delete(data.id)
  }
  workers.set(name, started)
  return started
}

function terminate(name: string): void {
  workers.get(name)?.worker.terminate()
  workers.delete(name)
}

declare global {
  /** What the tests call from outside. */
  var realm: { drive: typeof drivePage; terminate: typeof terminate }
}

if (globalThis.document !== undefined) {
  globalThis.realm = { drive: drivePage, terminate }
} else {
  globalThis.onmessage = async ({ data: { id, method, args } }: MessageEvent<Call>) => {
    const answer = await drive(method, args).then(
      (result) => ({ id, result }),
      (error: unknown) => ({ id, error: String(error) }),
    )
    globalThis.postMessage(answer)
  }
}
