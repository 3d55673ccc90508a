import type { RuntimeValue } from './jinja.js';
import { TemplateExcess } from './template_functions.js';

/**
 * A template's value as Python's `str` writes it, which is what templates were written for: @huggingface/jinja writes JSON.
 * @param most UTF-16 units, beyond which it is a TemplateExcess: lists may hold the same one again and again.
 */
export function pythonText(value: RuntimeValue, most: number): string {
  if (value.type === 'StringValue') return value.value as string;
  if (value.type === 'UndefinedValue') return '';
  let text = '';
  for (const piece of representation(value)) {
    text += piece;
    if (text.length > most) throw new TemplateExcess(`a text of more than ${most} units`);
  }
  return text;
}

/** What `repr` gives, in pieces: texts are in quotes. */
function* representation(value: RuntimeValue): Generator<string> {
  switch (value.type) {
    case 'BooleanValue':
      yield value.value ? 'True' : 'False';
      return;
    case 'NullValue':
    case 'UndefinedValue':
      yield 'None';
      return;
    case 'StringValue':
      yield quoted(value.value as string);
      return;
    case 'ArrayValue':
    case 'TupleValue': {
      const elements = value.value as readonly RuntimeValue[];
      const isList = value.type === 'ArrayValue';
      yield isList ? '[' : '(';
      for (const [i, element] of elements.entries()) {
        if (i > 0) yield ', ';
        yield* representation(element);
      }
      yield isList ? ']' : elements.length === 1 ? ',)' : ')';
      return;
    }
    case 'ObjectValue': {
      let separator = '{';
      for (const [key, member] of value.value as ReadonlyMap<string, RuntimeValue>) {
        yield `${separator}${quoted(key)}: `;
        yield* representation(member);
        separator = ', ';
      }
      yield separator === '{' ? '{}' : '}';
      return;
    }
    default:
      yield String(value);
  }
}

const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** In single quotes, or in double ones where that saves escapes; what cannot be printed is escaped. */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inside = text.replace(/[\p{C}\p{Z}\\'"]/gu, (character) => {
    if (character === ' ') return character;
    if (character === '\\' || character === quote) return `\\${character}`;
    if (character === "'" || character === '"') return character;
    const code = character.codePointAt(0)!;
    const escaped = (letter: string, digits: number): string =>
      `\\${letter}${code.toString(16).padStart(digits, '0')}`;
    if (code < 0x100) return named[character] ?? escaped('x', 2);
    return code < 0x10000 ? escaped('u', 4) : escaped('U', 8);
  });
  return quote + inside + quote;
}
