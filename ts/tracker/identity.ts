import { uuid } from '../native/uuid.ts'

/** Where identities persist: `localStorage`, or anything like it. */
export type IdentityStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

/**
 * Who uses the page. It persists in the storage that was given, else in `localStorage`, else, where that is
 * forbidden or full, in `sessionStorage`, and otherwise lasts as long as the page. Other tabs hear of a change.
 */
export class Identity {
  private readonly storage: IdentityStorage | undefined
  private readonly anonymousKey: string
  private readonly userKey: string
  private anonymous: string
  private user: string | null

  constructor(name: string, storage: IdentityStorage | undefined = pageStorage()) {
    this.storage = storage
    this.anonymousKey = `headwater/${name}/anonymousId`
    this.userKey = `headwater/${name}/userId`
    this.user = this.read(this.userKey)
    this.anonymous = this.read(this.anonymousKey) ?? this.renewed()
  }

  get anonymousId(): string {
    return this.anonymous
  }

  get userId(): string | null {
    return this.user
  }

  /** This is who it is. */
  identify(userId: string): void {
    this.user = userId
    this.write(this.userKey, userId)
  }

  /** Somebody else, whom nobody knows yet. */
  reset(): void {
    this.user = null
    this.write(this.userKey, null)
    this.anonymous = this.renewed()
  }

  /** Takes over what was stored while the page slept, and heard nothing. */
  refresh(): void {
    const anonymous = this.read(this.anonymousKey)
    // Without an id nobody has reset: the storage was cleared, or is out of reach.
    if (anonymous === null) return
    this.anonymous = anonymous
    this.user = this.read(this.userKey)
  }

  /** Takes over what other tabs say; answers what stops that. */
  follow(): () => void {
    const changed = ({ key, newValue }: StorageEvent) => {
      if (key === this.userKey) this.user = newValue
      // Without an id nobody has reset: the storage was cleared.
      if (key === this.anonymousKey && newValue !== null) this.anonymous = newValue
    }
    const realm = globalThis as Partial<Pick<Window, 'addEventListener' | 'removeEventListener'>>
    realm.addEventListener?.('storage', changed)
    return () => realm.removeEventListener?.('storage', changed)
  }

  private renewed(): string {
    const id = uuid()
    this.write(this.anonymousKey, id)
    return id
  }

  private read(key: string): string | null {
    try {
      return this.storage?.getItem(key) || null
    } catch {
      return null
    }
  }

  private write(key: string, value: string | null): void {
    try {
      if (value === null) this.storage?.removeItem(key)
      else this.storage?.setItem(key, value)
    } catch {
      // Storage that is full or forbidden: the identity lasts as long as the page.
    }
  }
}

function pageStorage(): IdentityStorage | undefined {
  return usable('localStorage') ?? usable('sessionStorage')
}

/** The storage of this name, if it stores. */
function usable(name: 'localStorage' | 'sessionStorage'): IdentityStorage | undefined {
  const probe = 'headwater/probe'
  try {
    // Where cookies are blocked, reading the property throws; where storage is full, writing does.
    const storage = (globalThis as Partial<typeof globalThis>)[name]
    storage?.setItem(probe, probe)
    storage?.removeItem(probe)
    return storage
  } catch {
    return undefined
  }
}
