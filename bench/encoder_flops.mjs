/**
 * Floating-point operations of a BERT-like encoder on texts of so many tokens, none of them padding: two for each weight that
 * a token is multiplied with, and two for each number of the scores and of the values that attention sums up.
 */
export function encoderFlops(config, lengths) {
  const { hidden_size: width, intermediate_size: inner, num_hidden_layers: layers } = config;
  const weights = layers * (4 * width * width + 2 * width * inner);
  const pairs = lengths.reduce((sum, length) => sum + length * length, 0);
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  return 2 * weights * tokens + 4 * layers * width * pairs;
}

/** Of a model that `load` opened, on texts as `embed` tokenises them. */
export function embedFlops(model, texts) {
  const limit = model.maxLength;
  const lengths = texts.map(
    (text) => model.tokenizer.encodeCompact(text, { maxLength: limit }).ids.length,
  );
  return encoderFlops(model.config, lengths);
}
