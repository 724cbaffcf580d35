/** The part of the API that is not there from the start. */
export function late(): Promise<typeof import('./late.ts')> {
  return import('./late.ts')
}
