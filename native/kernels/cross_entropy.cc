#include "kernels/cross_entropy.h"

#include "kernels/rows.h"
#include "simd/math.h"

namespace heddle::HEDDLE_ISA {

static float greatestOf(const float* row, int64_t columns) {
  F32 best = broadcast(-__builtin_inff());
  const int64_t whole = columns / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) best = max(load(row + i), best);
  float greatest = maximum(best);
  for (int64_t i = whole; i < columns; i++) greatest = row[i] > greatest ? row[i] : greatest;
  return greatest;
}

static float sumOfExponentials(const float* row, int64_t columns, float greatest) {
  return sumOver(columns, [&](int64_t i, int n) {
    return keepFirst(exp(sub(loadUpTo(row + i, n), broadcast(greatest))), n);
  });
}

static void crossEntropy(const Call& call, int, int, Scratch) {
  const Tensor& logits = call.inputs[0];
  const int32_t* labels = static_cast<const int32_t*>(call.inputs[1].data);
  const int64_t columns = logits.dims[1];
  const float smoothing = static_cast<float>(call.floats[0]);
  forEachRow(call, logits.dims[0], columns, [&](int64_t r) {
    const float* row = static_cast<const float*>(logits.data) + r * columns;
    const float greatest = greatestOf(row, columns);
    const float total = sumOfExponentials(row, columns, greatest);
    float loss = __builtin_logf(total) - (1 - smoothing) * (row[labels[r]] - greatest);
    if (smoothing > 0) {
      const float below = sumOver(columns, [&](int64_t i, int n) {
        return keepFirst(sub(loadUpTo(row + i, n), broadcast(greatest)), n);
      });
      loss -= smoothing * (below / static_cast<float>(columns));
    }
    static_cast<float*>(call.outputs[0].data)[r] = loss;
  });
}

static void crossEntropyGradient(const Call& call, int, int, Scratch) {
  const Tensor& logits = call.inputs[0];
  const int32_t* labels = static_cast<const int32_t*>(call.inputs[1].data);
  const float* gradients = static_cast<const float*>(call.inputs[2].data);
  const int64_t columns = logits.dims[1];
  const float smoothing = static_cast<float>(call.floats[0]);
  const F32 everywhere = broadcast(smoothing / static_cast<float>(columns));
  forEachRow(call, logits.dims[0], columns, [&](int64_t r) {
    const float* row = static_cast<const float*>(logits.data) + r * columns;
    float* to = static_cast<float*>(call.outputs[0].data) + r * columns;
    const float greatest = greatestOf(row, columns);
    const F32 divisor = broadcast(sumOfExponentials(row, columns, greatest));
    const F32 gradient = broadcast(gradients[r]);
    forEachVector(columns, [&](int64_t i, int n) {
      const F32 weight = div(exp(sub(loadUpTo(row + i, n), broadcast(greatest))), divisor);
      storeUpTo(to + i, mul(sub(weight, everywhere), gradient), n);
    });
    to[labels[r]] -= (1 - smoothing) * gradients[r];
  });
}

// What a block of classes adds to a row's loss.
enum { kPartGreatest = 0, kPartSum, kPartLabel, kPartLogits, kPartSize };

// The operands of the two kernels that see a block.
struct ClassBlock {
  const float* logits;
  const float* bias;  // of the block's first class; null: none
  const int32_t* labels;
  int64_t rows, columns, first, classes;
};

static ClassBlock readBlock(const Call& call) {
  const float* bias = static_cast<const float*>(call.inputs[3].data);
  const int64_t first = call.ints[0];
  return {static_cast<const float*>(call.inputs[0].data),
          bias ? bias + first : nullptr,
          static_cast<const int32_t*>(call.inputs[1].data),
          call.inputs[0].dims[0],
          call.inputs[0].dims[1],
          first,
          call.inputs[2].dims[0]};
}

static void crossEntropyPart(const Call& call, int, int, Scratch) {
  const ClassBlock block = readBlock(call);
  const float* before = static_cast<const float*>(call.inputs[4].data);
  forEachRow(call, block.rows, block.columns, [&](int64_t r) {
    const float* row = block.logits + r * block.columns;
    const auto logit = [&](int64_t i, int n) {
      const F32 value = loadUpTo(row + i, n);
      return block.bias ? add(value, loadUpTo(block.bias + i, n)) : value;
    };
    float* to = static_cast<float*>(call.outputs[0].data) + r * kPartSize;
    const float* old = before ? before + r * kPartSize : nullptr;
    F32 best = broadcast(old ? old[kPartGreatest] : -__builtin_inff());
    forEachVector(block.columns, [&](int64_t i, int n) {
      const F32 value = logit(i, n);
      best = max(n == kLanes ? value
                             : select(less(iota(), broadcast(static_cast<float>(n))), value,
                                      broadcast(-__builtin_inff())),
                 best);
    });
    const float greatest = maximum(best);
    float total = sumOver(block.columns, [&](int64_t i, int n) {
      return keepFirst(exp(sub(logit(i, n), broadcast(greatest))), n);
    });
    float all = sumOver(block.columns, [&](int64_t i, int n) { return keepFirst(logit(i, n), n); });
    const int64_t label = block.labels[r] - block.first;
    float own = 0;
    if (label >= 0 && label < block.columns) {
      own = row[label] + (block.bias ? block.bias[label] : 0.0f);
    }
    if (old) {
      total += old[kPartSum] * __builtin_expf(old[kPartGreatest] - greatest);
      own += old[kPartLabel];
      all += old[kPartLogits];
    }
    to[kPartGreatest] = greatest;
    to[kPartSum] = total;
    to[kPartLabel] = own;
    to[kPartLogits] = all;
  });
}

static void crossEntropyOfParts(const Call& call, int, int, Scratch) {
  const float* parts = static_cast<const float*>(call.inputs[0].data);
  const float smoothing = static_cast<float>(call.floats[0]);
  const float classes = static_cast<float>(call.ints[0]);
  forEachRow(call, call.inputs[0].dims[0], kPartSize, [&](int64_t r) {
    const float* part = parts + r * kPartSize;
    const float greatest = part[kPartGreatest];
    float loss = __builtin_logf(part[kPartSum]) - (1 - smoothing) * (part[kPartLabel] - greatest);
    if (smoothing > 0) loss -= smoothing * (part[kPartLogits] / classes - greatest);
    static_cast<float*>(call.outputs[0].data)[r] = loss;
  });
}

static void crossEntropyPartGradient(const Call& call, int, int, Scratch) {
  const ClassBlock block = readBlock(call);
  const float* parts = static_cast<const float*>(call.inputs[4].data);
  const float* gradients = static_cast<const float*>(call.inputs[5].data);
  const float smoothing = static_cast<float>(call.floats[0]);
  const F32 everywhere = broadcast(smoothing / static_cast<float>(block.classes));
  forEachRow(call, block.rows, block.columns, [&](int64_t r) {
    const float* row = block.logits + r * block.columns;
    const F32 greatest = broadcast(parts[r * kPartSize + kPartGreatest]);
    const F32 divisor = broadcast(parts[r * kPartSize + kPartSum]);
    const F32 gradient = broadcast(gradients[r]);
    float* to = static_cast<float*>(call.outputs[0].data) + r * block.columns;
    forEachVector(block.columns, [&](int64_t i, int n) {
      F32 value = loadUpTo(row + i, n);
      if (block.bias) value = add(value, loadUpTo(block.bias + i, n));
      const F32 weight = div(exp(sub(value, greatest)), divisor);
      storeUpTo(to + i, mul(sub(weight, everywhere), gradient), n);
    });
    const int64_t label = block.labels[r] - block.first;
    if (label >= 0 && label < block.columns) to[label] -= (1 - smoothing) * gradients[r];
  });
}

}  // namespace heddle::HEDDLE_ISA
