/** Values of arguments that a model wrote as plain text, by the JSON Schema of the tool's parameter. */

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON Schema's names of the types that a parameter may have; undefined where that is not said. */
export type ParameterTypes = ReadonlySet<string> | undefined;

/** What types a tool's parameters have. @param tools as chat templates are given them. */
export function parameterTypes(
  name: string,
  tools: readonly Fields[],
): (parameter: string) => ParameterTypes {
  const known = Array.from(tools).filter(isFields);
  const described = known.map((tool) => (isFields(tool.function) ? tool.function : tool));
  const root = described.find((tool) => tool.name === name)?.parameters;
  if (!isFields(root)) return () => undefined;
  const { properties } = root;
  return (parameter) => {
    const isKnown = isFields(properties) && Object.hasOwn(properties, parameter);
    return isKnown ? typesOf(properties[parameter], root, { left: mostSchemas }) : undefined;
  };
}

/** So many schemas are looked at for one parameter: they may refer to each other, and come with requests. */
const mostSchemas = 200;

function typesOf(schema: unknown, root: Fields, budget: { left: number }): ParameterTypes {
  if (!isFields(schema) || budget.left-- <= 0) return undefined;
  if (typeof schema.$ref === 'string') return typesOf(referred(schema.$ref, root), root, budget);
  if (typeof schema.type === 'string') return new Set([schema.type]);
  if (Array.isArray(schema.type)) return new Set(schema.type.filter((t) => typeof t === 'string'));
  const values = 'const' in schema ? [schema.const] : schema.enum;
  if (Array.isArray(values)) return new Set(values.flatMap(namesOf));
  const choices = schema.anyOf ?? schema.oneOf;
  if (!Array.isArray(choices)) return undefined;
  const types = new Set<string>();
  for (const choice of choices) {
    const each = typesOf(choice, root, budget);
    // One that admits anything makes all of it so.
    if (each === undefined) return undefined;
    for (const type of each) types.add(type);
  }
  return types;
}

/** What `#/$defs/Name` means. */
function referred(reference: string, root: Fields): unknown {
  const path = /^#\/(\$defs|definitions)\/([^/]+)$/.exec(reference);
  const definitions = path ? root[path[1]!] : undefined;
  return isFields(definitions) && Object.hasOwn(definitions, path![2]!)
    ? definitions[path![2]!]
    : undefined;
}

/** The types that a value has: a whole number is both. */
function namesOf(value: unknown): string[] {
  if (value === null) return ['null'];
  if (Array.isArray(value)) return ['array'];
  if (typeof value === 'number')
    return Number.isInteger(value) ? ['integer', 'number'] : ['number'];
  return [typeof value];
}

/**
 * The value of a text. Where other types than strings are admitted, what the text is as JSON if it has one of them; Python's `True`,
 * `False` and `None`, as which templates show values to models, count too. Else the text.
 * @param whenUnknown what a text of unknown type is: JSON where it is that, or a text.
 */
export function argumentOf(
  text: string,
  types: ParameterTypes,
  whenUnknown: 'json' | 'text',
): unknown {
  if (types === undefined && whenUnknown === 'text') return text;
  const trimmed = text.trim();
  const python = types && pythonValues.get(trimmed);
  const value = python ? python.value : parsed(trimmed);
  // Quotation marks are a part of a text that is to be one.
  if (value === undefined || (types && typeof value === 'string')) return text;
  return !types || namesOf(value).some((name) => types.has(name)) ? value : text;
}

const pythonValues: ReadonlyMap<string, { readonly value: unknown }> = new Map([
  ['True', { value: true }],
  ['False', { value: false }],
  ['None', { value: null }],
]);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
