import type { MessageBytes } from '../native/bytes.ts'
import type { Bytes } from '../native/frames.ts'
import type { KafkaMessage } from '../native/messages.ts'
import type { EachMessageHandler, EachMessagePayload } from './consuming.ts'
import { KafkaJSNonRetriableError } from './errors.ts'
import type { Message, ProducerRecord, RecordMetadata, SendOptions } from './messages.ts'

/** Something wrong with a value, and where in it. */
export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** A schema by the Standard Schema specification, such as one of zod, valibot or arktype. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** What a schema says of a value: what it becomes, or what is wrong with it. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

/** What a schema takes. */
export type SchemaInput<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['input']

/** What a schema gives. */
export type SchemaOutput<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['output']

/** Values as bytes. */
export interface Serializer {
  serialize(value: unknown): Bytes
  deserialize(bytes: MessageBytes): unknown
}

/** How the values of a topic are written and checked. */
export interface TopicOptions<Schema = StandardSchema> {
  /** Checks each value before it is sent, and each that is read. Default: none is checked. */
  schema?: Schema
  /** Default: JSON. */
  serializer?: Serializer
}

/** A message of a typed topic, to send. `null` is a tombstone, which no schema is asked about. */
export type TypedMessage<Value> = Omit<Message, 'value'> & { value: Value | null }

/** A message of a typed topic that was read. */
export type ReadMessage<Value> = Omit<KafkaMessage, 'value'> & { value: Value | null }

/** What the handler of a typed topic is given. */
export type TypedPayload<Value> = Omit<EachMessagePayload, 'message'> & {
  message: ReadMessage<Value>
  value: Value | null
}

const JSON_TEXT: Serializer = {
  serialize: (value) => JSON.stringify(value),
  deserialize: (bytes) => JSON.parse(bytes.toString()),
}

/**
 * A topic whose values have a type: they are written as JSON, and checked by a schema where there is one. A value is
 * stored as it was given; what the schema makes of it (defaults, dates) is made where it is read.
 */
export class Topic<Input, Output = Input> {
  /** @internal */
  constructor(
    readonly name: string,
    private readonly options: TopicOptions = {},
  ) {}

  /**
   * Sends values, by a producer or as part of a transaction.
   * @throws KafkaJSNonRetriableError of type `INVALID_RECORD` for a value that the schema refuses; nothing is sent then
   */
  async send(
    producer: { send(record: ProducerRecord): Promise<RecordMetadata[]> },
    messages: TypedMessage<Input>[],
    options: SendOptions = {},
  ): Promise<RecordMetadata[]> {
    const encoded = await Promise.all(messages.map((message) => this.encode(message)))
    return producer.send({ ...options, topic: this.name, messages: encoded })
  }

  /** A message as a producer sends it; see {@link send}. */
  async encode({ value, ...message }: TypedMessage<Input>): Promise<Message> {
    if (value === null) return { ...message, value: null }
    await this.check(value)
    return { ...message, value: this.serializer().serialize(value) }
  }

  /**
   * A message with its value decoded.
   * @throws KafkaJSNonRetriableError of type `INVALID_RECORD` for a value that cannot be read, or that the schema refuses
   */
  async decode(message: KafkaMessage): Promise<ReadMessage<Output>> {
    const { value } = message
    return { ...message, value: value === null ? null : await this.check(this.parsed(value)) }
  }

  /**
   * A handler for `run({ eachMessage })`. Messages of other topics are passed over. Where one cannot be read,
   * `invalid` is called in place of the handler; without it the consumer crashes, since no repetition would help.
   */
  each(
    handler: (payload: TypedPayload<Output>) => unknown,
    invalid?: (error: KafkaJSNonRetriableError, payload: EachMessagePayload) => unknown,
  ): EachMessageHandler {
    return async (payload) => {
      if (payload.topic !== this.name) return
      const decoded = await this.decode(payload.message).catch((error: unknown) => {
        if (invalid !== undefined && error instanceof KafkaJSNonRetriableError) return error
        throw error
      })
      if (decoded instanceof KafkaJSNonRetriableError) await invalid?.(decoded, payload)
      else await handler({ ...payload, message: decoded, value: decoded.value })
    }
  }

  private serializer(): Serializer {
    return this.options.serializer ?? JSON_TEXT
  }

  private parsed(bytes: MessageBytes): unknown {
    try {
      return this.serializer().deserialize(bytes)
    } catch (error) {
      throw this.invalid(error instanceof Error ? error.message : String(error), error)
    }
  }

  private async check(value: unknown): Promise<Output> {
    const { schema } = this.options
    if (schema === undefined) return value as Output
    const result = await schema['~standard'].validate(value)
    if (result.issues === undefined) return result.value as Output
    const said = result.issues.map(({ message, path = [] }) => {
      const place = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.')
      return place === '' ? message : `${place}: ${message}`
    })
    throw this.invalid(said.join('; '), result.issues)
  }

  private invalid(reason: string, cause: unknown): KafkaJSNonRetriableError {
    const message = `Invalid value for topic "${this.name}": ${reason}`
    return new KafkaJSNonRetriableError(message, { cause, type: 'INVALID_RECORD', code: 87 })
  }
}
