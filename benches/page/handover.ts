import { openDatabase, timed, transact } from './raw.ts'

/**
 * The least that a safe join by raw means takes: the newcomer asks, the coordinator stores what it decided and asks
 * the owner, the owner stores how far it got and says so, the coordinator stores that too and tells the newcomer.
 */
export async function serveHandOver(role: 'coordinator' | 'owner'): Promise<void> {
  const database = await openDatabase('bench-handover')
  const channel = new BroadcastChannel('bench-handover')
  const row = new Uint8Array(1_000)
  const store = () => transact(database, 'relaxed', (store) => void store.put(row, role))
  const steps: Record<string, string> =
    role === 'owner' ? { revoke: 'revoked' } : { join: 'revoke', revoked: 'assign' }
  channel.onmessage = async ({ data }) => {
    const next = steps[data]
    if (next === undefined) return
    await store()
    channel.postMessage(next)
  }
}

export function handOver(): Promise<number> {
  const channel = new BroadcastChannel('bench-handover')
  return timed(async () => {
    await new Promise<void>((resolve) => {
      channel.onmessage = ({ data }) => {
        if (data === 'assign') resolve()
      }
      channel.postMessage('join')
    })
    channel.close()
  })
}
