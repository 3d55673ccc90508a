// The scores of a few queries against a block of keys: product, soft-cap, bias, mask.
#pragma once

#include "kernels/attention_relative.h"
#include "simd/math.h"

namespace heddle::HEDDLE_ISA {

// Where the biases of a row are: bias[clamp(position + shift, 0, last)].
struct BiasRow {
  int64_t first;  // of all numbers of the bias
  int64_t shift, last;

  int64_t at(int64_t position) const {
    const int64_t index = position + shift;
    return first + (index < 0 ? 0 : smaller(index, last));
  }
};

static BiasRow biasRow(const AttentionProblem& p, const TileRow& row) {
  const int64_t* dims = p.bias.dims;
  if (p.biasKind == BiasKind::kRelative) {
    const int64_t last = dims[1] - 1;
    return {row.head * dims[1], last / 2 - row.position, last};
  }
  const int64_t query = smaller(row.position < 0 ? 0 : row.position, dims[1] - 1);
  return {((dims[0] == 1 ? 0 : row.head) * dims[1] + query) * dims[2], 0, dims[2] - 1};
}

// Adds the bias to the scores of one row.
static void addBias(const AttentionProblem& p, const KeyBlock& block, const TileRow& row,
                    const VisibleColumns& columns, float* scores) {
  const float* bias = static_cast<const float*>(p.bias.data);
  const BiasRow place = biasRow(p, row);
  const int64_t end = smaller(columns.end, block.count);
  const int64_t at = block.positions[columns.begin] + place.shift;
  if (block.consecutive && at >= 0 && at + (end - columns.begin) - 1 <= place.last) {
    float* target = scores + columns.begin;
    forEachVector(end - columns.begin, [&](int64_t j, int n) {
      store(target + j, add(load(target + j), loadUpTo(bias + place.first + at + j, n)));
    });
    return;
  }
  for (int64_t j = columns.begin; j < end; j++) scores[j] += bias[place.at(block.positions[j])];
}

// What dropout multiplies the weights of one row by: 0 or keepScale, for each key of the block. The
// bits of key n of a segment are word n / 16 % 4 of block n / 64 · 16 + n % 16 of its row and head.
static void keptWeights(const AttentionProblem& p, const KeyBlock& block, const TileRow& row,
                        float* factors) {
  static_assert(kKeyBlock == 4 * kPhiloxBlocks, "a block of keys takes one call");
  PhiloxKey key = p.dropout;
  key.branch = static_cast<uint32_t>(row.head) + 1;
  uint32_t words[4][kPhiloxBlocks];
  philox(uint64_t{row.row} << 32 | static_cast<uint64_t>(block.first / 4), key, words);
  for (int64_t w = 0; w < 4; w++) {
    for (int64_t i = 0; i < kPhiloxBlocks; i++) {
      factors[w * kPhiloxBlocks + i] = words[w][i] > p.lastDropped ? p.keepScale : 0.0f;
    }
  }
}

// scores[r][j] for the visible columns of `count` rows, −∞ where row r does not see key j.
// queries: [count][D], scaled; keys: packed; scores: [count][kKeyBlock].
static void scoreRows(const AttentionProblem& p, const KeyBlock& block, const TileRow* rows,
                      int64_t count, const VisibleColumns& columns, const float* queries,
                      const float* keys, const RelativeTerms& relative, float* scores) {
  const Product product{
      queries, paddedToLanes(p.headSize), keys, kKeyBlock, scores, kKeyBlock, p.headSize, nullptr};
  multiplyColumns(product, static_cast<int>(count), columns.begin, columns.end);
  if (p.biasKind == BiasKind::kDisentangled) {
    addRelative(p, block, rows, count, columns, queries, relative, scores);
  }
  const bool hasTable = p.biasKind == BiasKind::kRelative || p.biasKind == BiasKind::kDense;
  const float hidden = -__builtin_inff();
  for (int64_t r = 0; r < count; r++, scores += kKeyBlock) {
    if (p.softCap > 0) {  // the scale and 1 / softCap are in the queries already
      for (int64_t j = columns.begin; j < columns.end; j += kLanes) {
        store(scores + j, mul(broadcast(p.softCap), tanh(load(scores + j))));
      }
    }
    if (hasTable) addBias(p, block, rows[r], columns, scores);
    if (columns.partly) {
      const Window window = rows[r].window;
      for (int64_t j = columns.begin; j < columns.end; j++) {
        scores[j] = window.sees(block.positions[j]) ? scores[j] : hidden;
      }
    }
    if (columns.end > block.count) {
      float* tail = scores + columns.end - kLanes;
      const F32 keysLeft = broadcast(static_cast<float>(block.count - (columns.end - kLanes)));
      store(tail, select(less(iota(), keysLeft), load(tail), broadcast(hidden)));
    }
  }
}

}  // namespace heddle::HEDDLE_ISA
