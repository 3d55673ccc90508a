/**
 * Facts about the tokenizer classes of Hugging Face transformers (4.57) that files without a tokenizer.json
 * leave to the class: which files, and which special tokens there are where no file names them.
 */

/** In the order in which the reference adds special tokens to a vocabulary. */
export const roles = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'] as const;
export type Role = (typeof roles)[number];

/** How an added token is found in a text; the names of tokenizer.json. */
export interface TokenFlags {
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

export interface TokenizerClass {
  readonly kind: 'WordPiece' | 'BytePair' | 'SentencePiece';
  /** All of them are needed. */
  readonly files: readonly string[];
  readonly specialTokens: Readonly<Partial<Record<Role, string>>>;
  /** Of special tokens that are given as mere strings; a role without an entry keeps the string. */
  readonly flags: Readonly<Partial<Record<Role, TokenFlags>>>;
  readonly additionalSpecialTokens?: readonly string[];
}

/** Special, and looked for in the text as given. */
export const specialFlags: TokenFlags = {
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
};

/** A mask behaves like a word: the space on its left is part of it. */
const maskFlags: TokenFlags = { ...specialFlags, lstrip: true };
const normalizedFlags: TokenFlags = { ...specialFlags, normalized: true };

const bertTokens = { unk: '[UNK]', sep: '[SEP]', pad: '[PAD]', cls: '[CLS]', mask: '[MASK]' };
const robertaTokens = {
  bos: '<s>',
  eos: '</s>',
  sep: '</s>',
  cls: '<s>',
  unk: '<unk>',
  pad: '<pad>',
  mask: '<mask>',
};

const same = (flags: TokenFlags, names: readonly Role[]): Partial<Record<Role, TokenFlags>> =>
  Object.fromEntries(names.map((role) => [role, flags]));
const allButMask: readonly Role[] = ['bos', 'eos', 'sep', 'cls', 'unk', 'pad'];

const bert: TokenizerClass = {
  kind: 'WordPiece',
  files: ['vocab.txt'],
  specialTokens: bertTokens,
  flags: {},
};
const bytePairFiles = ['vocab.json', 'merges.txt'];
const endOfText = '<|endoftext|>';

export const tokenizerClasses: ReadonlyMap<string, TokenizerClass> = new Map<
  string,
  TokenizerClass
>([
  ['BertTokenizer', bert],
  ['DistilBertTokenizer', bert],
  ['ElectraTokenizer', bert],
  [
    'MPNetTokenizer',
    {
      ...bert,
      specialTokens: { ...robertaTokens, unk: '[UNK]' },
      flags: { ...same(specialFlags, allButMask), mask: maskFlags },
    },
  ],
  [
    'RobertaTokenizer',
    {
      kind: 'BytePair',
      files: bytePairFiles,
      specialTokens: robertaTokens,
      flags: { ...same(normalizedFlags, allButMask), mask: maskFlags },
    },
  ],
  [
    'GPT2Tokenizer',
    {
      kind: 'BytePair',
      files: bytePairFiles,
      specialTokens: { unk: endOfText, bos: endOfText, eos: endOfText },
      flags: same(normalizedFlags, ['bos', 'eos', 'unk', 'pad']),
    },
  ],
  [
    'Qwen2Tokenizer',
    {
      kind: 'BytePair',
      files: bytePairFiles,
      specialTokens: { unk: endOfText, eos: endOfText, pad: endOfText },
      flags: same(specialFlags, ['bos', 'eos', 'unk', 'pad']),
    },
  ],
  [
    'XLMRobertaTokenizer',
    {
      kind: 'SentencePiece',
      files: ['sentencepiece.bpe.model'],
      specialTokens: robertaTokens,
      flags: { mask: maskFlags },
    },
  ],
  [
    'CamembertTokenizer',
    {
      kind: 'SentencePiece',
      files: ['sentencepiece.bpe.model'],
      specialTokens: robertaTokens,
      flags: { mask: maskFlags },
      additionalSpecialTokens: ['<s>NOTUSED', '</s>NOTUSED', '<unk>NOTUSED'],
    },
  ],
  [
    'AlbertTokenizer',
    {
      kind: 'SentencePiece',
      files: ['spiece.model'],
      specialTokens: { ...bertTokens, bos: '[CLS]', eos: '[SEP]', unk: '<unk>', pad: '<pad>' },
      flags: { mask: maskFlags },
    },
  ],
  [
    'DebertaV2Tokenizer',
    {
      kind: 'SentencePiece',
      files: ['spm.model'],
      specialTokens: { ...bertTokens, bos: '[CLS]', eos: '[SEP]' },
      flags: { unk: normalizedFlags },
    },
  ],
]);

/** The class of a `model_type`, for folders that name none. */
export const classOfModel: ReadonlyMap<unknown, string> = new Map([
  ['bert', 'BertTokenizer'],
  ['distilbert', 'DistilBertTokenizer'],
  ['electra', 'ElectraTokenizer'],
  ['mpnet', 'MPNetTokenizer'],
  ['roberta', 'RobertaTokenizer'],
  ['gpt2', 'GPT2Tokenizer'],
  ['qwen2', 'Qwen2Tokenizer'],
  ['qwen3', 'Qwen2Tokenizer'],
  ['xlm-roberta', 'XLMRobertaTokenizer'],
  ['camembert', 'CamembertTokenizer'],
  ['albert', 'AlbertTokenizer'],
  ['deberta-v2', 'DebertaV2Tokenizer'],
]);

/** The files of every class. */
export const vocabularyFileNames: readonly string[] = [
  ...new Set([...tokenizerClasses.values()].flatMap(({ files }) => files)),
];
