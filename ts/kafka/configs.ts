import { KafkaJSNonRetriableError, KafkaJSNotImplemented } from './errors.ts'
import type { NodeHandle } from './node.ts'
import {
  type AlteredConfigs,
  ConfigResourceTypes,
  ConfigSource,
  type DescribedConfig,
  type DescribedConfigs,
  type ResourceConfig,
  type ResourceConfigQuery,
} from './resources.ts'

interface Entry {
  name: string
  value: string
  isDefault: boolean
}

/** Reads configurations. */
export async function describeConfigs(
  node: NodeHandle,
  resources: ResourceConfigQuery[],
  includeSynonyms: boolean,
): Promise<DescribedConfigs> {
  validate(resources, 'configNames')
  const described = resources.map(async ({ type, name, configNames }) => {
    const all =
      type === ConfigResourceTypes.TOPIC ? await node.call((open) => open.describeConfigs(name)) : []
    const entries = (all as Entry[]).filter((entry) => configNames?.includes(entry.name) ?? true)
    return {
      ...unharmed(type, name),
      configEntries: entries.map((entry) => describe(entry, includeSynonyms)),
    }
  })
  return { throttleTime: 0, resources: await Promise.all(described) }
}

/** Replaces configurations. */
export async function alterConfigs(
  node: NodeHandle,
  resources: ResourceConfig[],
  validateOnly: boolean,
): Promise<AlteredConfigs> {
  validate(resources, 'configEntries')
  if (resources.some(({ type }) => type !== ConfigResourceTypes.TOPIC)) {
    throw new KafkaJSNotImplemented('There is no broker to configure: the resources must be topics')
  }
  for (const { name, configEntries } of resources) {
    await node.call((open) => open.alterConfigs(name, configEntries, validateOnly))
  }
  return { throttleTime: 0, resources: resources.map(({ type, name }) => unharmed(type, name)) }
}

function unharmed(resourceType: number, resourceName: string) {
  return { resourceType, resourceName, errorCode: 0, errorMessage: null }
}

function describe({ name, value, isDefault }: Entry, includeSynonyms: boolean): DescribedConfig {
  const source = isDefault ? ConfigSource.DEFAULT_CONFIG : ConfigSource.TOPIC_CONFIG
  const own = { configName: name, configValue: value, configSource: source }
  const rest = { isDefault, isSensitive: false, readOnly: false }
  return { ...own, ...rest, configSynonyms: includeSynonyms ? [own] : [] }
}

/** With KafkaJS's words. */
function validate(resources: unknown, list: 'configNames' | 'configEntries'): void {
  if (!Array.isArray(resources)) throw new KafkaJSNonRetriableError(`Invalid resources array ${resources}`)
  if (resources.length === 0) throw new KafkaJSNonRetriableError('Resources array cannot be empty')
  const all = resources.map((resource: unknown) => Object(resource) as Record<string, unknown>)
  const types: unknown[] = Object.values(ConfigResourceTypes)
  const check = (what: string, isValid: (resource: Record<string, unknown>) => boolean, shown?: string) => {
    const wrong = all.find((resource) => !isValid(resource))
    if (wrong === undefined) return
    const value = shown === undefined ? '' : ` ${wrong[shown]}`
    throw new KafkaJSNonRetriableError(`Invalid resource ${what}${value}: ${JSON.stringify(wrong)}`)
  }
  check('type', ({ type }) => types.includes(type), 'type')
  check('name', ({ name }) => typeof name === 'string' && name !== '', 'name')
  const optional = list === 'configNames'
  check(list, ({ [list]: given }) => Array.isArray(given) || (optional && (given ?? null) === null), list)
  if (!optional) check('config value', ({ configEntries }) => (configEntries as unknown[]).every(isEntry))
}

function isEntry(entry: unknown): boolean {
  const { name, value } = Object(entry) as Partial<Entry>
  return typeof name === 'string' && typeof value === 'string'
}
