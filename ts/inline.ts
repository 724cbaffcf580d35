import { Kafka as Core, type KafkaConfig } from './kafka/kafka.ts'
import { inflate, provide } from './native/source.ts'

/** A log, and what produces to it, consumes from it and looks after it. It brings the wasm along. */
export class Kafka extends Core {
  constructor(config: KafkaConfig = {}) {
    super(config)
    provide({
      core: async () => inflate((await import('./generated/page-core.ts')).deflated),
      late: async () => inflate((await import('./generated/page-late.ts')).deflated),
    })
  }
}
