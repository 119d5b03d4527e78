/** Bad input made from what /openapi.json says of each route: for every field, all that it must not be. */

export interface Schema {
  type?: string | string[]
  $ref?: string
  anyOf?: Schema[]
  const?: unknown
  enum?: unknown[]
  minLength?: number
  maxLength?: number
  minimum?: number
  exclusiveMinimum?: number
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
}

export interface Operation {
  parameters?: { in: string; name: string; required?: boolean; schema: Schema }[]
  requestBody?: { content: Record<string, { schema: Schema }> }
}

export interface Document {
  paths: Record<string, Record<string, Operation>>
  components?: { schemas?: Record<string, Schema> }
}

export interface Field {
  name: string
  isRequired: boolean
  isNullable: boolean
  schema: Schema
}

/** The schema itself behind references and `anyOf` with null. */
function resolve(document: Document, schema: Schema): { schema: Schema; isNullable: boolean } {
  if (schema.$ref !== undefined) return resolve(document, document.components?.schemas?.[schema.$ref.split('/').at(-1)!] ?? {})
  if (schema.anyOf === undefined) return { schema, isNullable: schema.type === 'null' }
  const others = schema.anyOf.filter(({ type }) => type !== 'null')
  const inner = resolve(document, others[0] ?? {}).schema
  return { schema: { ...inner, ...schema, type: inner.type ?? 'string' }, isNullable: others.length < schema.anyOf.length }
}

export function fieldsOf(document: Document, { requestBody }: Operation): Field[] {
  const [body] = Object.values(requestBody?.content ?? {})
  const { properties = {}, required = [] } = resolve(document, body?.schema ?? {}).schema
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    isRequired: required.includes(name),
    ...resolve(document, schema),
  }))
}

/** JSON texts, as some are no value of JavaScript; undefined leaves the field out. */
export function badValuesFor({ isRequired, isNullable, schema }: Field): (string | undefined)[] {
  const absent = isRequired ? [undefined] : []
  const nothing = isNullable ? [] : ['null']
  return [...absent, ...nothing, ...badByType(schema)]
}

/** At every field, whatever it is. */
const unsafe = ['"a\\u0000b"', '"\\ud800"', '"\\udfff x"']
const others = ['{"a":1}', '{}', 'true', ...unsafe]

function badByType(schema: Schema): string[] {
  if (schema.type === 'integer' || schema.type === 'number') return [...badNumbers, ...others]
  if (schema.type === 'array') return ['1', '"1"', '[null]', '["x"]', '[1e400]', '[[1]]', ...others]
  return [...badTexts(schema), ...others]
}

const badNumbers = [
  '"abc"',
  '""',
  '1.5',
  '-1',
  '0',
  '9223372036854775808',
  '-9223372036854775808',
  '1e400',
  '-1e400',
  '[1]',
  '[]',
]

function badTexts({ minLength = 0, maxLength, const: only, enum: some }: Schema): string[] {
  const empty = minLength > 0 || only !== undefined ? ['""'] : []
  const long =
    maxLength === undefined ? [] : [JSON.stringify('가'.repeat(maxLength + 1)), JSON.stringify('x'.repeat(maxLength * 3 + 1))]
  const unknown = only !== undefined || some !== undefined ? ['"unknown"'] : []
  return [...empty, ...long, ...unknown, '1', '-1', '1e400', '["a"]', '[]']
}

/** A value that would do, as a JSON text. */
export function goodValueFor({ name, schema }: Field): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.type === 'integer' || schema.type === 'number') return '1'
  if (schema.type === 'array') return '[]'
  if (name === 'email') return '"good@example.com"'
  if (name.endsWith('url')) return '"https://good.example/x"'
  return '"good"'
}

/** Bodies that are wrong as a whole, whatever the route wants; `type` is their Content-Type. */
export function badBodies(): { what: string; body: string | Uint8Array; type?: string }[] {
  const deep = 100_000
  return [
    { what: 'no body', body: '' },
    { what: 'no JSON', body: '{"a":' },
    { what: 'a number', body: '1' },
    { what: 'a text', body: '"x"' },
    { what: 'null', body: 'null' },
    { what: 'a list', body: '[]' },
    { what: 'two values', body: '{}{}' },
    { what: 'a deep list', body: '['.repeat(deep) + ']'.repeat(deep) },
    { what: 'a deep object', body: '{"a":'.repeat(deep / 4) + '1' + '}'.repeat(deep / 4) },
    { what: 'an unfinished deep list', body: '['.repeat(deep) },
    { what: '10 MB', body: JSON.stringify({ name: 'x'.repeat(10 * 1024 * 1024) }) },
    { what: 'broken UTF-8', body: Uint8Array.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0xfe, 0x22, 0x7d]) },
    { what: 'a surrogate in UTF-8', body: Uint8Array.from([0x22, 0xed, 0xa0, 0x80, 0x22]) },
    { what: 'random bytes', body: Uint8Array.from({ length: 512 }, (_, index) => (index * 197 + 131) & 0xff) },
    { what: 'a form', body: 'a=1&b=2', type: 'application/x-www-form-urlencoded' },
    { what: 'multipart', body: '--x\r\n\r\nx\r\n--x--', type: 'multipart/form-data; boundary=x' },
    { what: 'a broken Content-Type', body: '<a/>', type: 'no type at all;;' },
  ]
}

/** Path segments that name nothing; percent-encoded where that is needed. */
export const badSegments = [
  '0',
  '-1',
  'abc',
  '1.5',
  '1e400',
  '9007199254740993',
  '9223372036854775808',
  'null',
  '%00',
  '1%00',
  '%ff',
  '%ED%A0%80',
  '%F0%9F%92%A9',
  '..%2f',
  '1'.repeat(3000),
  '%',
]

export const badQueryNumbers = ['abc', '1.5', '1e400', '%00', '', '1%00', '0x1', 'NaN']
