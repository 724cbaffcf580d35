import { Kafka as Core, type KafkaConfig } from './kafka/kafka.ts'
import { provide } from './native/source.ts'
import { unpack } from './native/unpack.ts'

/** A log, and what produces to it, consumes from it and looks after it. It brings the wasm along. */
export class Kafka extends Core {
  constructor(config: KafkaConfig = {}) {
    super(config)
    const core = () => import('./generated/page-core.ts')
    provide({
      core: async () => {
        const { packed, unpacker } = await core()
        return unpack(packed, unpacker)
      },
      late: async () => {
        const [{ packed }, { unpacker }] = await Promise.all([import('./generated/page-late.ts'), core()])
        return unpack(packed, unpacker)
      },
    })
  }
}
