// `node --import ./scripts/lib/typescript.mjs FILE.ts`: runs TypeScript on a Node.js that cannot by itself.
import { register } from 'node:module'

register('./typescript-hooks.mjs', import.meta.url)
