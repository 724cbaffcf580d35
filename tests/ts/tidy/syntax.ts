import { parseAst } from 'vite'

/** A node of the syntax tree, of which only the shape that the rules ask for is known. */
export interface Syntax {
  readonly type: string
  readonly [key: string]: unknown
}

/** One import or re-export of a module. */
export interface Import {
  readonly from: string
  /** It is written `import type`, and gone when the program runs. */
  readonly typeOnly: boolean
  /** It is loaded when it is called for. */
  readonly lazy: boolean
}

export function parse(text: string): Syntax {
  return parseAst(text, { lang: 'ts' }) as unknown as Syntax
}

/** Every import, wherever it stands. */
export function imports(text: string): Import[] {
  const found: Import[] = []
  walk(parse(text), (node) => {
    const from = isSyntax(node['source']) ? node['source']['value'] : undefined
    if (typeof from !== 'string') return true
    const typeOnly = node['importKind'] === 'type' || node['exportKind'] === 'type'
    found.push({ from, typeOnly, lazy: node.type === 'ImportExpression' })
    return true
  })
  return found
}

/** What a module exports by name, of its own or of others. */
export function exports(text: string): string[] {
  const body = parse(text)['body'] as Syntax[]
  const specifiers = body.flatMap((statement) => (statement['specifiers'] as Syntax[] | undefined) ?? [])
  return specifiers.flatMap(({ exported }) => (isSyntax(exported) ? String(exported['name']) : []))
}

/** The members of each exported interface, and where they begin. */
export function members(text: string): { owner: string; name: string; start: number }[] {
  const declared = (parse(text)['body'] as Syntax[]).map(({ declaration }) => declaration).filter(isSyntax)
  const interfaces = declared.filter(({ type }) => type === 'TSInterfaceDeclaration')
  return interfaces.flatMap(({ id, body }) =>
    ((body as Syntax)['body'] as Syntax[]).map(({ type, key, start }) => ({
      owner: String((id as Syntax)['name']),
      name: isSyntax(key) ? String(key['name'] ?? key['value']) : type,
      start: start as number,
    })),
  )
}

/** The statements of a module that are no declarations. */
export function statements(text: string): Syntax[] {
  const body = parse(text)['body'] as Syntax[]
  return body.filter(({ type }) => !DECLARATIONS.test(type))
}

/** Names that are read while the module is evaluated: not in functions, and not in types. */
export function namesReadAtImport(text: string): string[] {
  return names(text, (node) => !FUNCTION.test(node.type) && !isInstanceField(node))
}

/** Names that are read anywhere but in types; names of properties are not counted. */
export function names(text: string, enters: (node: Syntax) => boolean = () => true): string[] {
  const found: string[] = []
  const visit = (node: Syntax): boolean => {
    if (TYPE.test(node.type) || !enters(node)) return false
    if (node.type === 'AwaitExpression' || node.type === 'ImportExpression') found.push(node.type)
    if (node.type === 'Identifier') found.push(String(node['name']))
    const hidden = hiddenKey(node)
    if (hidden === undefined) return true
    for (const [key, value] of Object.entries(node)) if (key !== hidden) children(value, visit)
    return false
  }
  walk(parse(text), visit)
  return found
}

/** Visits a tree from its root; a visitor that answers false has seen enough of that branch. */
export function walk(node: Syntax, visit: (node: Syntax) => boolean): void {
  if (!visit(node)) return
  for (const value of Object.values(node)) children(value, visit)
}

function children(value: unknown, visit: (node: Syntax) => boolean): void {
  if (Array.isArray(value)) for (const element of value) children(element, visit)
  else if (isSyntax(value)) walk(value, visit)
}

/** The child that is a property's name and reads nothing. */
function hiddenKey(node: Syntax): string | undefined {
  if (node['computed'] === true) return undefined
  if (node.type === 'MemberExpression') return 'property'
  return KEYED.test(node.type) ? 'key' : undefined
}

function isInstanceField(node: Syntax): boolean {
  return node.type === 'PropertyDefinition' && node['static'] !== true
}

function isSyntax(value: unknown): value is Syntax {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'
}

const DECLARATIONS = /^(Import|Export|TS|Class|Function|Variable)\w*Declaration$|^TSModuleDeclaration$/
const FUNCTION = /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/
const KEYED = /^(Property|PropertyDefinition|MethodDefinition)$/
/** Everything of TypeScript but what has an expression inside. */
const TYPE = /^TS(?!AsExpression|SatisfiesExpression|NonNullExpression|ParameterProperty|Enum)/
