#include "attention_checks.h"

#include <inttypes.h>

#include <algorithm>

#include "error.h"
#include "node_checks.h"

namespace heddle {
namespace {

// ints of both attention kernels.
enum { kHeads = 0, kKeyHeads = 1, kBiasKind = 4 };
// Inputs after the key and, in `attention`, the value.
enum { kQuerySegments = 0, kKeySegments, kQueryPositions, kKeyPositions, kBias, kPairs };

// Inputs of both kernels after all others.
enum { kRelativeKeys = 8, kRelativeQueries, kBuckets };

void checkRelative(const NodeView& view) {
  const bool hasKeys = !isAbsent(view.inputs[kRelativeKeys]);
  const bool hasQueries = !isAbsent(view.inputs[kRelativeQueries]);
  const bool hasBuckets = !isAbsent(view.inputs[kBuckets]);
  if (view.ints[kBiasKind] != 3) {
    if (hasKeys || hasQueries || hasBuckets) {
      fail(view, "relativeKeys, relativeQueries, buckets", "none without biasKind 3", "some");
    }
    return;
  }
  if (!hasBuckets || !(hasKeys || hasQueries)) {
    fail(view, "relativeKeys, relativeQueries, buckets", "buckets and one of the others", "less");
  }
  if (view.ints[kHeads] != view.ints[kKeyHeads]) {
    fail(view, "G", "as many as H with biasKind 3", std::to_string(view.ints[kKeyHeads]));
  }
  if (view.floats[1] > 0)
    fail(view, "softCap", "0 with biasKind 3", std::to_string(view.floats[1]));
}

void checkHeads(const NodeView& view, const Tensor& bias) {
  const int64_t heads = view.ints[kHeads], keyHeads = view.ints[kKeyHeads];
  if (heads % keyHeads != 0) {
    fail(view, "G", "a divisor of H = " + std::to_string(heads), std::to_string(keyHeads));
  }
  const int64_t q = columns(view, "q", view.inputs[0]);
  if (q % heads != 0) {
    fail(view, "q", "columns divisible by H = " + std::to_string(heads), dimsText(view.inputs[0]));
  }
  const int64_t k = columns(view, "k", view.inputs[1]);
  if (k != q / heads * keyHeads) {
    fail(view, "k", std::to_string(q / heads * keyHeads) + " columns", dimsText(view.inputs[1]));
  }
  const int64_t kind = view.ints[kBiasKind];
  checkRelative(view);
  if (isAbsent(bias)) {
    if (kind == 1 || kind == 2) {
      fail(view, "bias", "a tensor for biasKind " + std::to_string(kind), "none");
    }
    return;
  }
  const int64_t* dims = bias.dims;
  const bool fits = kind == 1   ? bias.rank == 2 && dims[0] == heads && dims[1] % 2 == 1
                    : kind == 2 ? bias.rank == 3 && (dims[0] == heads || dims[0] == 1)
                                : false;
  if (!fits) {
    fail(view, "bias",
         kind == 1   ? "[H, odd]"
         : kind == 2 ? "[H or 1, P, P']"
                     : "none",
         dimsText(bias));
  }
}

// A dense bias is read at positions: each must lie inside it. Without positions, rows count from 0
// in each segment.
void checkDense(const NodeView& view, const char* name, const Tensor& positions,
                const Tensor& segments, int64_t limit) {
  const Tensor& source = isAbsent(positions) ? segments : positions;
  const int32_t* values = static_cast<const int32_t*>(source.data);
  int64_t largest = -1;
  for (int64_t i = isAbsent(positions) ? 1 : 0; i < source.dims[0]; ++i) {
    const int64_t position = isAbsent(positions) ? values[i] - values[i - 1] - 1 : values[i];
    largest = std::max(largest, position);
  }
  if (largest < limit) return;
  throw Error(ErrorCode::kInput,
              "node %" PRId64 " (%s): %s: expected positions below %" PRId64
              ", the size of the bias, found %" PRId64,
              view.node, view.kernel, name, limit, largest);
}

void checkBiasRun(const NodeView& view, const Tensor* tail) {
  if (view.ints[kBiasKind] == 3 && view.inputs[kBuckets].dims[0] % 2 == 0) {
    fail(view, "buckets", "an odd number", dimsText(view.inputs[kBuckets]));
  }
  if (view.ints[kBiasKind] != 2) return;
  const Tensor& bias = tail[kBias];
  // One row of a bias serves all queries.
  if (bias.dims[1] != 1) {
    checkDense(view, "queryPositions", tail[kQueryPositions], tail[kQuerySegments], bias.dims[1]);
  }
  checkDense(view, "keyPositions", tail[kKeyPositions], tail[kKeySegments], bias.dims[2]);
}

void checkValues(const NodeView& view) {
  checkHeads(view, view.inputs[3 + kBias]);
  const int64_t keyHeads = view.ints[kKeyHeads];
  if (columns(view, "v", view.inputs[2]) % keyHeads != 0) {
    fail(view, "v", "columns divisible by G = " + std::to_string(keyHeads),
         dimsText(view.inputs[2]));
  }
}

// Inputs of attention after those of its scores, and of its gradients after all others.
enum { kDropoutSeed = 11, kDropoutStep, kOutput, kStatistics };
constexpr int kThreshold = 6;  // among the integers

void checkDropout(const NodeView& view) {
  if (view.ints[kThreshold] == 0) return;
  if (isAbsent(view.inputs[kDropoutSeed]) || isAbsent(view.inputs[kDropoutStep])) {
    fail(view, "dropoutSeed, dropoutStep", "two numbers where threshold is above 0", "none");
  }
}

}  // namespace

void checkAttention(const NodeView& view) {
  const int64_t heads = view.ints[kHeads], keyHeads = view.ints[kKeyHeads];
  checkValues(view);
  checkDropout(view);
  const int64_t v = columns(view, "v", view.inputs[2]);
  expectFixedColumns(view, "output", view.outputs[0], v / keyHeads * heads);
  if (!isAbsent(view.outputs[1]))
    expectFixedColumns(view, "statistics", view.outputs[1], 2 * heads);
}

void checkAttentionGradient(const NodeView& view) {
  checkValues(view);
  checkDropout(view);
  const int64_t heads = view.ints[kHeads];
  const int64_t v = view.inputs[2].dims[1] / view.ints[kKeyHeads] * heads;
  expectFixedColumns(view, "y", view.inputs[kOutput], v);
  expectFixedColumns(view, "statistics", view.inputs[kStatistics], 2 * heads);
}

void checkAttentionBiasGradient(const NodeView& view) {
  checkAttentionGradient(view);
  const Tensor &bias = view.inputs[3 + kBias], &keys = view.inputs[kRelativeKeys];
  const Tensor& source = !isAbsent(bias)   ? bias
                         : !isAbsent(keys) ? keys
                                           : view.inputs[kRelativeQueries];
  const Tensor& out = view.outputs[0];
  if (isAbsent(source)) fail(view, "bias", "one, or a disentangled one", "none");
  bool same = out.rank == source.rank;
  for (int i = 0; same && i < out.rank; ++i) same = out.dims[i] == source.dims[i];
  if (!same) fail(view, "output", dimsText(source), dimsText(out));
  if (isAbsent(view.outputs[1])) return;
  if (isAbsent(keys) || isAbsent(view.inputs[kRelativeQueries])) {
    fail(view, "byRelativeQueries", "relativeKeys and relativeQueries", "only one of them");
  }
}

void checkAttentionWeights(const NodeView& view) {
  checkHeads(view, view.inputs[2 + kBias]);
  if (view.outputs[0].dims[0] != view.ints[kHeads]) {
    fail(view, "output", std::to_string(view.ints[kHeads]) + " rows", dimsText(view.outputs[0]));
  }
}

void checkAttentionRun(const NodeView& view) { checkBiasRun(view, view.inputs + 3); }

void checkAttentionWeightsRun(const NodeView& view) {
  const Tensor* tail = view.inputs + 2;
  checkBiasRun(view, tail);
  const int32_t* queries = static_cast<const int32_t*>(tail[kQuerySegments].data);
  const int32_t* keys = static_cast<const int32_t*>(tail[kKeySegments].data);
  const int32_t* pairs = static_cast<const int32_t*>(tail[kPairs].data);
  for (int64_t s = 0; s + 1 < tail[kPairs].dims[0]; ++s) {
    const int64_t product =
        static_cast<int64_t>(queries[s + 1] - queries[s]) * (keys[s + 1] - keys[s]);
    if (pairs[s + 1] - pairs[s] == product) continue;
    throw Error(ErrorCode::kInput,
                "node %" PRId64 " (%s): pairs[%" PRId64 "]: expected %" PRId64
                " more than the one before, queries times keys, found %" PRId32,
                view.node, view.kernel, s + 1, product, pairs[s + 1] - pairs[s]);
  }
}

}  // namespace heddle
