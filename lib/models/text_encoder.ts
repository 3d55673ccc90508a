import type { Encoder } from './encoder.js';

/** What running a model on ids and pooling its hidden states needs of it: every `Encoder` has it, and tables of token vectors. */
export type TextEncoder = Pick<
  Encoder,
  | 'limits'
  | 'hiddenSize'
  | 'maxLength'
  | 'defaultOutputs'
  | 'outputNames'
  | 'outputs'
  | 'positionIds'
  | 'paddingReach'
  | 'extraFeeds'
  | 'takesChoices'
  | 'rowLogits'
>;
