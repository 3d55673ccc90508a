import { HeddleError } from '../errors.js';
import {
  type BinaryExpression,
  Environment,
  Interpreter,
  parse,
  type RuntimeValue,
  type Environment as Scope,
  type SyntaxNode,
  tokenize,
} from './jinja.js';
import { rewriteCall, rewriteFilter } from './jinja_rewriting.js';
import { pythonText } from './python_text.js';
import { TemplateExcess, TemplateRefusal, templateFunctions } from './template_functions.js';
import { withTimeLimit } from './time_limit.js';

/** What a template may use; what takes more is ended. */
export interface TemplateLimits {
  /** Nodes of the template that are evaluated: the same on every machine. */
  readonly steps: number;
  /** Nodes inside of each other, those of macros among them. */
  readonly depth: number;
  /** UTF-16 units of any text, and entries of any list, that it makes. */
  readonly size: number;
  /** For what these two do not bound. */
  readonly milliseconds: number;
}

const usualLimits: TemplateLimits = {
  steps: 500_000,
  depth: 500,
  size: 4_000_000,
  milliseconds: 200,
};

/** So many messages more are allowed as many steps and as much time more. */
const messagesPerLimit = 200;

/** Longer ones are no chat templates. */
const longestSource = 1_000_000;

/**
 * A chat template: Jinja, as @huggingface/jinja runs it, with the functions and settings of Python's `apply_chat_template`.
 * Templates come with models, from anyone: what they may use is bounded.
 */
export class ChatTemplate {
  private readonly program: SyntaxNode;

  /**
   * @param where named in errors.
   * @throws ERR_FORMAT for what is no template.
   */
  constructor(
    source: string,
    readonly where: string,
    private readonly limits: TemplateLimits = usualLimits,
  ) {
    if (source.length > longestSource) {
      const found = `${source.length} characters, more than ${longestSource}`;
      throw new HeddleError('ERR_FORMAT', `${where}: ${found}`, { where, found });
    }
    const options = { lstrip_blocks: true, trim_blocks: true };
    this.program = this.bounded(() => parse(tokenize(withoutMarks(source), options)));
  }

  /**
   * The text for some variables. A long conversation may take more steps and time than the limits say.
   * @throws ERR_INPUT where the template refuses them, or cannot use them; ERR_FORMAT where it takes more than its limits.
   */
  render(variables: Readonly<Record<string, unknown>>, now = new Date()): string {
    const { messages } = variables;
    const factor = 1 + (Array.isArray(messages) ? messages.length : 0) / messagesPerLimit;
    const steps = this.limits.steps * factor;
    const milliseconds = this.limits.milliseconds * factor;
    const result = this.bounded(() => {
      const environment = new Environment();
      const all = { ...constants, ...templateFunctions(now, this.limits.size), ...variables };
      for (const [name, value] of Object.entries(all)) environment.set(name, value);
      return new BoundedInterpreter(environment, { ...this.limits, steps }).run(this.program);
    }, milliseconds);
    return result.value as string;
  }

  private bounded<T extends object>(body: () => T, milliseconds = this.limits.milliseconds): T {
    const { where } = this;
    const excess = (found: string, cause?: unknown): HeddleError =>
      new HeddleError('ERR_FORMAT', `${where}: the template is ended: ${found}`, {
        where,
        found,
        cause,
      });
    let result: T | undefined;
    try {
      result = withTimeLimit(milliseconds, body);
    } catch (error) {
      if (error instanceof TemplateExcess) throw excess(error.message, error);
      // V8's: a stack that is full, or a text longer than there can be.
      if (error instanceof RangeError) throw excess(error.message, error);
      const found = (error as Error).message;
      if (error instanceof TemplateRefusal) {
        const message = `${where}: the template refuses the messages: ${found}`;
        throw new HeddleError('ERR_INPUT', message, { where, found, cause: error });
      }
      const isParsed = this.program !== undefined;
      const what = isParsed ? 'the template cannot use the messages' : 'no chat template';
      const code = isParsed ? 'ERR_INPUT' : 'ERR_FORMAT';
      throw new HeddleError(code, `${where}: ${what}: ${found}`, { where, found, cause: error });
    }
    if (result === undefined) throw excess(`it runs for more than ${Math.round(milliseconds)} ms`);
    return result;
  }
}

/** Blocks that tell a trainer what the model wrote, which the package does not know, become blocks that do nothing. */
function withoutMarks(source: string): string {
  return source.replace(/(\{%[-+]?\s*)(end)?generation(\s*[-+]?%\})/g, (_, open, end, close) =>
    end === undefined ? `${open}if true${close}` : `${open}endif${close}`,
  );
}

const constants = { true: true, false: false, none: null, True: true, False: false, None: null };

/** What writes nothing of its own: its result is the text of its body, or nothing. */
const statements: ReadonlySet<string> = new Set([
  'Program',
  'If',
  'For',
  'Set',
  'Macro',
  'CallStatement',
  'FilterStatement',
  'Comment',
  'Break',
  'Continue',
]);

/** Filters that take the text of any value. */
const textFilters: ReadonlySet<unknown> = new Set([
  'string',
  'trim',
  'lower',
  'upper',
  'title',
  'capitalize',
]);

const textValue = (text: string): RuntimeValue => new Environment().set('text', text);

/** Counts what it does, and writes values as Python does. */
class BoundedInterpreter extends Interpreter {
  private steps = 0;
  private depth = 0;

  constructor(
    environment: Scope,
    private readonly limits: TemplateLimits,
  ) {
    super(environment);
  }

  override evaluate(node: SyntaxNode | undefined, environment: Scope): RuntimeValue {
    const { steps, depth, size } = this.limits;
    if (++this.steps > steps) throw new TemplateExcess(`more than ${steps} steps`);
    // Not left to the stack: the package takes its end for a name that is not known.
    if (++this.depth > depth)
      throw new TemplateExcess(`more than ${depth} nodes inside of each other`);
    let result: RuntimeValue;
    try {
      result = super.evaluate(node && rewriteCall(node), environment);
    } finally {
      this.depth--; // `break` and `continue` are thrown
    }
    const { value } = result;
    const length = typeof value === 'string' || Array.isArray(value) ? value.length : 0;
    if (length > size) throw new TemplateExcess(`a value of ${length} parts, more than ${size}`);
    return result;
  }

  override evaluateBlock(nodes: readonly SyntaxNode[], environment: Scope): RuntimeValue {
    let text = '';
    for (const node of nodes) {
      const value = this.evaluate(node, environment);
      const isText = value.type === 'StringValue';
      if (isText || !statements.has(node.type)) text += this.text(value);
    }
    return textValue(text);
  }

  override evaluateBinaryExpression(node: BinaryExpression, environment: Scope): RuntimeValue {
    if (node.operator.value !== '~') return super.evaluateBinaryExpression(node, environment);
    const left = this.text(this.evaluate(node.left, environment));
    return textValue(left + this.text(this.evaluate(node.right, environment)));
  }

  override applyFilter(
    operand: RuntimeValue,
    filter: SyntaxNode & { readonly value?: unknown },
    environment: Scope,
  ): RuntimeValue {
    const isOfText = filter.type === 'Identifier' && textFilters.has(filter.value);
    const value = isOfText ? textValue(this.text(operand)) : operand;
    return super.applyFilter(value, rewriteFilter(filter), environment);
  }

  private text(value: RuntimeValue): string {
    return pythonText(value, this.limits.size);
  }
}
