#include "kernels/attention.h"
#include "kernels/attention_workspace.h"
#include "kernels/softmax.h"

namespace heddle::HEDDLE_ISA {

// Writes the scores of one key head over their place in the output, then normalises each row there.
static void weighHead(const Call& call, const AttentionProblem& p, const QueryTile& tile,
                      int64_t keyHead, AttentionWorkspace& w) {
  const int32_t* pairs = static_cast<const int32_t*>(call.inputs[7].data);
  const int64_t keys = p.keySegments[tile.segment + 1] - p.keySegments[tile.segment];
  const float hidden = -__builtin_inff();
  const auto rowOf = [&](int64_t r) {
    return static_cast<float*>(call.outputs[0].data) + w.rows[r].head * call.outputs[0].dims[1] +
           pairs[tile.segment] + (tile.firstInSegment + r / p.group) * keys;
  };
  readQueries(p, tile, keyHead, w);
  for (int64_t first = 0; first < keys; first += kKeyBlock) {
    KeyBlock block;
    readKeyBlock(p, tile.segment, first, &block);
    packKeys(p, block, keyHead, w.keys);
    if (p.biasKind == BiasKind::kDisentangled) {
      const Window any = windowsOf(w.rows, tile.rows).any;
      readRelative(p, block, w.rows, tile.rows, any, keyHead, &w.relative);
    }
    for (int64_t r = 0; r < tile.rows; r++) {
      const VisibleColumns columns = visibleColumns(block, windowsOf(w.rows + r, 1));
      if (columns.end > 0) {
        scoreRows(p, block, w.rows + r, 1, columns, w.queries + r * paddedToLanes(p.headSize),
                  w.keys, w.relative, w.scores);
      }
      float* target = rowOf(r) + first;
      for (int64_t j = 0; j < block.count; j++) {
        target[j] = j >= columns.begin && j < columns.end ? w.scores[j] : hidden;
      }
    }
  }
  for (int64_t r = 0; r < tile.rows; r++) {
    float* row = rowOf(r);
    bool seesAny = false;
    for (int64_t j = 0; j < keys; j++) seesAny |= row[j] != hidden;
    if (seesAny) softmaxRow(row, row, keys, 1.0f);
    for (int64_t j = 0; j < keys && !seesAny; j++) row[j] = 0.0f;
  }
}

static void attentionWeights(const Call& call, int, int threads, Scratch scratch) {
  const AttentionProblem p = readAttention(call, false);
  AttentionWorkspace w;
  layOut(p, scratch.data, &w);
  TileCursor cursor(p, threads);
  QueryTile tile;
  while (!isCancelled(call) && cursor.seek(claim(call.work), &tile)) {
    for (int64_t h = 0; h < tile.keyHeads; h++) weighHead(call, p, tile, tile.keyHead + h, w);
  }
}

static size_t attentionWeightsScratch(const Call& call) {
  AttentionWorkspace unused;
  return layOut(readAttention(call, false), nullptr, &unused);
}

}  // namespace heddle::HEDDLE_ISA
