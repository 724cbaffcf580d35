/** What has a configuration. Here that is a topic; a broker is taken for one without any. */
export const ConfigResourceTypes = { UNKNOWN: 0, TOPIC: 2, BROKER: 4, BROKER_LOGGER: 8 } as const

/** Where a configured value comes from: here from the topic or from the defaults. */
export const ConfigSource = {
  UNKNOWN: 0,
  TOPIC_CONFIG: 1,
  DYNAMIC_BROKER_CONFIG: 2,
  DYNAMIC_DEFAULT_BROKER_CONFIG: 3,
  STATIC_BROKER_CONFIG: 4,
  DEFAULT_CONFIG: 5,
  DYNAMIC_BROKER_LOGGER_CONFIG: 6,
} as const

/** A resource whose configuration is asked for. */
export interface ResourceConfigQuery {
  /** One of `ConfigResourceTypes`. */
  type: number
  /** The topic. */
  name: string
  /** The names wanted. Default: all. */
  configNames?: string[]
}

/** A configured value, and where it comes from. */
export interface ConfigSynonym {
  configName: string
  configValue: string
  /** One of `ConfigSource`. */
  configSource: number
}

/** One entry of a configuration. */
export interface DescribedConfig extends ConfigSynonym {
  /** True where nobody has set it. */
  isDefault: boolean
  /** Always false: nothing here is secret. */
  isSensitive: boolean
  /** Always false: each can be altered. */
  readOnly: boolean
  /** The values that apply, the one in force first; empty where `includeSynonyms` was not asked for. */
  configSynonyms: ConfigSynonym[]
}

/** The configurations asked for. */
export interface DescribedConfigs {
  throttleTime: number
  resources: {
    resourceType: number
    resourceName: string
    errorCode: number
    errorMessage: string | null
    configEntries: DescribedConfig[]
  }[]
}

/** A resource and its new configuration. What is not named goes back to its default, as in Kafka's AlterConfigs. */
export interface ResourceConfig {
  /** `ConfigResourceTypes.TOPIC`. */
  type: number
  /** The topic. */
  name: string
  /** Under Kafka's names; see the README's table. */
  configEntries: { name: string; value: string }[]
}

/** What was altered. */
export interface AlteredConfigs {
  throttleTime: number
  resources: { resourceType: number; resourceName: string; errorCode: number; errorMessage: string | null }[]
}
