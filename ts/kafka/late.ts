/** What a page needs only for some calls, loaded at the first of them: see loading.ts. */

export { alterConfigs, describeConfigs } from './configs.ts'
export { Groups } from './groups.ts'
export { Held } from './held.ts'
export { committedOf, endsOf } from './positions.ts'
export { Session } from './session.ts'
export { Topics } from './topics.ts'
export { Transaction } from './transaction.ts'
export { deleteTopicRecords } from './trim.ts'
