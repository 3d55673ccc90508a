import { HeddleError, mismatch } from '../errors.js';
import { ChatTemplate } from './chat_template.js';
import { defaultTemplate, readChatTemplates, type TemplateSource } from './chat_template_files.js';
import { describe, isObject } from './tokenizer_json.js';
import { parseToolCalls, type ToolCall, toolCallFormatOf } from './tool_calls.js';

/** One message of a conversation. What else a template reads, such as `tool_calls` or `reasoning_content`, may be there. */
export interface ChatMessage {
  role: string;
  content?: string | readonly Readonly<Record<string, unknown>>[] | null;
  [other: string]: unknown;
}

export interface ChatOptions {
  /** Functions that the model may call, as JSON schemas; see the model's own description. */
  tools?: readonly Readonly<Record<string, unknown>>[];
  /** Texts to answer from, for templates that know them. */
  documents?: readonly Readonly<Record<string, unknown>>[];
  /** Whether the text ends where the model's answer begins; default true. */
  addGenerationPrompt?: boolean;
  /** The name of a template, where the checkpoint has several; default: `tool_use` with tools if there is one, else `default`. */
  chatTemplate?: string;
  /** Further variables of the template, such as `enable_thinking`. */
  templateVariables?: Readonly<Record<string, unknown>>;
}

/** @param text an answer with its special tokens, but for the one that ended it. */
export type ToolCallReader = (text: string) => readonly ToolCall[];

/** The chat templates of a checkpoint. */
export class ChatTemplates {
  private readonly parsed = new Map<string, ChatTemplate>();

  /** @param specialTokens variables that every template gets, such as `bos_token`. */
  constructor(
    private readonly sources: ReadonlyMap<string, TemplateSource>,
    private readonly specialTokens: Readonly<Record<string, string>>,
    private readonly folder: string,
  ) {}

  /** @throws ERR_FILE, ERR_FORMAT. */
  static async load(
    folder: string,
    specialTokens: Readonly<Record<string, string>>,
  ): Promise<ChatTemplates> {
    return new ChatTemplates(await readChatTemplates(folder), specialTokens, folder);
  }

  get names(): string[] {
    return [...this.sources.keys()];
  }

  /**
   * The text of a conversation, special tokens included.
   * @throws ERR_INPUT for messages that are none, or that the template does not take; ERR_ARGUMENT for a template that is not
   * there; ERR_UNSUPPORTED without any; ERR_FORMAT for one that is malformed or takes more than it may.
   */
  apply(messages: readonly ChatMessage[], options: ChatOptions = {}, now = new Date()): string {
    checkMessages(messages);
    const { tools, documents, addGenerationPrompt = true, templateVariables } = options;
    checkObjects('tools', tools);
    checkObjects('documents', documents);
    const variables = {
      messages,
      tools: tools ?? null,
      documents: documents ?? null,
      add_generation_prompt: addGenerationPrompt,
      ...templateVariables,
    };
    return this.template(this.nameFor(options)).render(
      { ...this.specialTokens, ...plain(variables) },
      now,
    );
  }

  /** What finds calls of the tools that these options have in an answer; undefined without tools, or where the template shows no format. */
  toolCallReader(options: ChatOptions): ToolCallReader | undefined {
    const source = hasTools(options) ? this.sources.get(this.nameFor(options)) : undefined;
    const format = source && toolCallFormatOf(source.source);
    return format && ((text) => parseToolCalls(text, format, options.tools).toolCalls);
  }

  private nameFor(options: ChatOptions): string {
    const usual = hasTools(options) && this.sources.has('tool_use') ? 'tool_use' : defaultTemplate;
    return options.chatTemplate ?? usual;
  }

  private template(name: string): ChatTemplate {
    let template = this.parsed.get(name);
    if (template !== undefined) return template;
    const source = this.sources.get(name);
    if (source === undefined && this.sources.size === 0) {
      const message = `${this.folder}: the model has no chat template; give it a text instead of messages`;
      throw new HeddleError('ERR_UNSUPPORTED', message, { where: this.folder });
    }
    if (source === undefined) {
      const expected = `one of the templates ${this.names.join(', ')}`;
      throw mismatch('ERR_ARGUMENT', 'chatTemplate', expected, `'${name}'`);
    }
    template = new ChatTemplate(source.source, source.where);
    this.parsed.set(name, template);
    return template;
  }
}

const hasTools = ({ tools }: ChatOptions): boolean => tools !== undefined && tools.length > 0;

function checkMessages(messages: unknown): void {
  if (!Array.isArray(messages) || messages.length === 0) {
    const found = Array.isArray(messages) ? 'none' : describe(messages);
    throw mismatch('ERR_INPUT', 'messages', 'a list of messages', found);
  }
  messages.forEach((message: unknown, index) => {
    const { role, content } = isObject(message) ? message : { role: undefined, content: undefined };
    const isContent =
      content === undefined ||
      content === null ||
      typeof content === 'string' ||
      Array.isArray(content);
    if (typeof role === 'string' && isContent) return;
    const expected = "an object with the text 'role' and 'content', a text or a list of parts";
    const found =
      typeof role === 'string' ? `content that is ${describe(content)}` : describe(message);
    throw mismatch('ERR_INPUT', `messages[${index}]`, expected, found);
  });
}

function checkObjects(name: string, given: unknown): void {
  if (given === undefined || (Array.isArray(given) && given.every(isObject))) return;
  const found = Array.isArray(given)
    ? describe(given.find((each) => !isObject(each)))
    : describe(given);
  throw mismatch('ERR_INPUT', name, 'a list of objects', found);
}

/** As JSON has it: a template gets data, and never what a getter or a function would do. */
function plain(variables: object): Record<string, unknown> {
  try {
    return JSON.parse(JSON.stringify(variables)) as Record<string, unknown>;
  } catch (cause) {
    const found = (cause as Error).message.split('\n')[0]!;
    throw new HeddleError('ERR_INPUT', `messages: expected what JSON can hold: ${found}`, {
      where: 'messages',
      found,
      cause,
    });
  }
}
