import { freshId } from './message.ts'

/** Where identities persist: `localStorage`, or anything like it. */
export type IdentityStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

/** Who uses the page. Persists where it can; where it cannot, it lasts as long as the page. */
export class Identity {
  private readonly storage: IdentityStorage | undefined
  private anonymous: string
  private user: string | null

  constructor(name: string, storage: IdentityStorage | undefined = pageStorage()) {
    this.storage = storage
    this.anonymousKey = `headwater/${name}/anonymousId`
    this.userKey = `headwater/${name}/userId`
    this.anonymous = this.read(this.anonymousKey) ?? ''
    this.user = this.read(this.userKey) ?? null
    if (this.anonymous === '') this.renew()
  }

  private readonly anonymousKey: string
  private readonly userKey: string

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
    try {
      this.storage?.removeItem(this.userKey)
    } catch {
      // Then it was not there either.
    }
    this.renew()
  }

  private renew(): void {
    this.anonymous = freshId()
    this.write(this.anonymousKey, this.anonymous)
  }

  private read(key: string): string | null {
    try {
      return this.storage?.getItem(key) ?? null
    } catch {
      return null
    }
  }

  private write(key: string, value: string): void {
    try {
      this.storage?.setItem(key, value)
    } catch {
      // Storage that is full or forbidden: the identity lasts as long as the page.
    }
  }
}

function pageStorage(): IdentityStorage | undefined {
  try {
    // Where cookies are blocked, reading the property throws.
    return (globalThis as Partial<typeof globalThis>).localStorage
  } catch {
    return undefined
  }
}
