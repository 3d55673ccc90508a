/**
 * What a model makes of a text: heads that look far, and tokens that draw together.
 * Usage: node examples/inside.mjs [MODEL] [TEXT]
 */
import { attentionMaps, load, logitLens, tokenSimilarities } from 'heddle';

const [, , source = 'sentence-transformers/all-MiniLM-L6-v2', given] = process.argv;
const text = given ?? 'The trophy did not fit into the suitcase because it was too big.';
const model = await load(source);

const { tokens, layers } = await attentionMaps(model, text);
const heads = layers.flatMap(({ layer, heads: all }) =>
  all.map((figures, head) => ({ layer, head, ...figures })),
);
heads.sort((a, b) => a.entropy - b.entropy);
console.log(`${tokens.length} tokens; the heads that look at fewest of them:`);
for (const { layer, head, entropy, distance } of heads.slice(0, 5)) {
  console.log(
    `  layer ${layer}, head ${head}: ${entropy.toFixed(2)} nats, ${distance.toFixed(1)} tokens away`,
  );
}

console.log('how alike the tokens are, from layer to layer:');
for (const { layer, mean, clusters } of (await tokenSimilarities(model, text)).layers) {
  console.log(`  ${layer}: mean inner product ${mean.toFixed(3)}, ${clusters} clusters`);
}

if (model.kind === 'decoder') {
  console.log('what each layer would say next:');
  for (const { layer, positions } of (await logitLens(model, text)).layers) {
    const [best] = positions.at(-1).top;
    console.log(`  ${layer}: ${JSON.stringify(best.text)} ${best.probability.toFixed(2)}`);
  }
}
model.dispose();
