import { afterEach, describe, expect, test, vi } from 'vitest'
import { Identity } from '../../../ts/tracker/identity.ts'

/** A storage in memory. */
function stored(entries: Record<string, string> = {}): Storage {
  const map = new Map(Object.entries(entries))
  return {
    getItem: (key: string) => map.get(key) ?? null,
    setItem: (key: string, value: string) => void map.set(key, value),
    removeItem: (key: string) => void map.delete(key),
  } as unknown as Storage
}

function full(): Storage {
  const setItem = () => {
    throw new DOMException('full', 'QuotaExceededError')
  }
  return { ...stored(), setItem }
}

afterEach(() => vi.unstubAllGlobals())

describe('an identity', () => {
  test('persists, each name by itself', () => {
    const storage = stored()
    const first = new Identity('shop', storage)
    first.identify('ada')
    const second = new Identity('shop', storage)
    expect(second.anonymousId).toBe(first.anonymousId)
    expect(second.anonymousId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/)
    expect(second.userId).toBe('ada')
    expect(new Identity('other', storage)).not.toMatchObject({ anonymousId: first.anonymousId })
  })

  test('is somebody else after a reset', () => {
    const storage = stored()
    const identity = new Identity('shop', storage)
    const before = identity.anonymousId
    identity.identify('ada')
    identity.reset()
    expect(identity.userId).toBeNull()
    expect(identity.anonymousId).not.toBe(before)
    expect(new Identity('shop', storage)).toMatchObject({ userId: null, anonymousId: identity.anonymousId })
  })

  test('falls back from localStorage to sessionStorage to the page', () => {
    const session = stored()
    vi.stubGlobal('localStorage', full())
    vi.stubGlobal('sessionStorage', session)
    const { anonymousId } = new Identity('shop')
    expect(session.getItem('headwater/shop/anonymousId')).toBe(anonymousId)
    vi.stubGlobal('sessionStorage', full())
    const identity = new Identity('shop')
    identity.identify('ada')
    expect(identity.userId).toBe('ada')
    expect(new Identity('shop').anonymousId).not.toBe(identity.anonymousId)
  })

  test('takes over what was stored while its page slept', () => {
    const storage = stored()
    const identity = new Identity('shop', storage)
    identity.identify('ada')
    const other = new Identity('shop', storage)
    other.reset()
    other.identify('bob')
    identity.refresh()
    expect(identity).toMatchObject({ userId: 'bob', anonymousId: other.anonymousId })
    storage.removeItem('headwater/shop/anonymousId')
    storage.removeItem('headwater/shop/userId')
    identity.refresh()
    expect(identity).toMatchObject({ userId: 'bob', anonymousId: other.anonymousId })
  })

  test('takes over what other tabs say', () => {
    const realm = new EventTarget()
    vi.stubGlobal('addEventListener', realm.addEventListener.bind(realm))
    vi.stubGlobal('removeEventListener', realm.removeEventListener.bind(realm))
    const identity = new Identity('shop', stored())
    const stop = identity.follow()
    const change = (key: string, newValue: string | null) =>
      realm.dispatchEvent(Object.assign(new Event('storage'), { key, newValue }))
    change('headwater/shop/userId', 'ada')
    change('headwater/shop/anonymousId', 'a-1')
    change('headwater/shop/anonymousId', null)
    change('headwater/other/userId', 'bob')
    expect(identity).toMatchObject({ userId: 'ada', anonymousId: 'a-1' })
    stop()
    change('headwater/shop/userId', null)
    expect(identity.userId).toBe('ada')
  })
})
