import { expect, test } from 'vitest'
import { RunningNode } from '../../../ts/kafka/running.ts'
import type { Instance } from '../../../ts/native/instance.ts'

/** A node in an instance that counts who listens to it. */
function opened() {
  const listeners = new Set<(reason: string) => void>()
  const instance = {
    whole: true,
    poisoned: undefined,
    onPoison(listener: (reason: string) => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  } as unknown as Instance
  const native = { closed: 0, close: () => void native.closed++ }
  const lost: string[] = []
  const node = new RunningNode(native as never, instance, (reason) => lost.push(reason))
  return { listeners, native, node, lost }
}

test('a closed node is not kept by its instance, which lives as long as the page', () => {
  const { listeners, native, node } = opened()
  expect(listeners.size).toBe(1)
  node.close()
  expect(native.closed).toBe(1)
  expect(listeners.size).toBe(0)
})

/** A call that is answered later. */
function later<T>() {
  let answer!: { resolve: (value: T) => void; reject: (error: Error) => void }
  const promise = new Promise<T>((resolve, reject) => {
    answer = { resolve, reject }
  })
  return { promise, ...answer }
}

test('a closed node is not kept by whoever still knows that it ran, and says so', async () => {
  const { native, node } = opened()
  node.close()
  node.tell(() => native.close())
  expect(native.closed).toBe(1)
  await expect(node.run(() => native.close())).rejects.toMatchObject({ kind: 'Closed', retriable: false })
  expect(native.closed).toBe(1)
})

test('what is under way while a node closes still fails where the instance traps', async () => {
  const { listeners, node, lost } = opened()
  const answered = later<string>()
  const first = node.run(() => answered.promise)
  const second = node.run(() => new Promise(() => {}))
  node.close()
  answered.resolve('answer')
  expect(await first).toBe('answer')
  expect(listeners.size).toBe(1)
  for (const listener of listeners) listener('unreachable')
  await expect(second).rejects.toMatchObject({ type: 'PANIC' })
  expect(lost).toEqual(['unreachable'])
})

test('the last answer to a closed node lets go of it', async () => {
  const { listeners, node } = opened()
  const answered = later<void>()
  const call = node.run(() => answered.promise)
  node.close()
  answered.reject(new Error('The node was closed'))
  await expect(call).rejects.toThrow('The node was closed')
  expect(listeners.size).toBe(0)
})
