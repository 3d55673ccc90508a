// The scores of a few queries against a block of keys: product, soft-cap, bias, mask.
#pragma once

#include "kernels/attention_relative.h"
#include "simd/math.h"

namespace heddle::HEDDLE_ISA {

// Adds bias[clamp(position + shift, 0, last)] to the scores of one row.
static void addBias(const AttentionProblem& p, const KeyBlock& block, const TileRow& row,
                    const VisibleColumns& columns, float* scores) {
  const int64_t* dims = p.bias.dims;
  const float* bias = static_cast<const float*>(p.bias.data);
  int64_t shift, last;
  if (p.biasKind == BiasKind::kRelative) {
    last = dims[1] - 1;
    shift = last / 2 - row.position;
    bias += row.head * dims[1];
  } else {
    const int64_t query = smaller(row.position < 0 ? 0 : row.position, dims[1] - 1);
    last = dims[2] - 1;
    shift = 0;
    bias += ((dims[0] == 1 ? 0 : row.head) * dims[1] + query) * dims[2];
  }
  const int64_t end = smaller(columns.end, block.count);
  const int64_t at = block.positions[columns.begin] + shift;
  if (block.consecutive && at >= 0 && at + (end - columns.begin) - 1 <= last) {
    float* target = scores + columns.begin;
    forEachVector(end - columns.begin, [&](int64_t j, int n) {
      store(target + j, add(load(target + j), loadUpTo(bias + at + j, n)));
    });
    return;
  }
  for (int64_t j = columns.begin; j < end; j++) {
    const int64_t index = block.positions[j] + shift;
    scores[j] += bias[index < 0 ? 0 : smaller(index, last)];
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
