import type { Task } from './pipeline.js';

/**
 * What a pipeline opens that is given no model: the checkpoints that the defaults of @huggingface/transformers were made from.
 */
export const defaultModels: Readonly<Record<Task, string>> = {
  'feature-extraction': 'sentence-transformers/all-MiniLM-L6-v2',
  'fill-mask': 'jhu-clsp/ettin-encoder-32m',
  'text-classification': 'distilbert/distilbert-base-uncased-finetuned-sst-2-english',
  'token-classification': 'Davlan/bert-base-multilingual-cased-ner-hrl',
  'question-answering': 'distilbert/distilbert-base-cased-distilled-squad',
  'zero-shot-classification': 'typeform/distilbert-base-uncased-mnli',
  'text-generation': 'Qwen/Qwen3-0.6B',
};
