// add, multiply: a ∘ b, where b has the shape of a, or is one row [C] that applies to each of a's.
// scale: x·scale + shift, in one fused operation.
#include "kernels/span.h"

namespace heddle::HEDDLE_ISA {

struct Addition {
  HEDDLE_INLINE F32 apply(F32 a, F32 b) { return add(a, b); }
};

struct Multiplication {
  HEDDLE_INLINE F32 apply(F32 a, F32 b) { return mul(a, b); }
};

template <class Operation>
HEDDLE_INLINE void combine(const float* a, const float* b, float* y, int64_t count) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    store(y + i, Operation::apply(load(a + i), load(b + i)));
  }
  const int rest = static_cast<int>(count - i);
  if (rest > 0) {
    storeFirst(y + i, Operation::apply(loadFirst(a + i, rest), loadFirst(b + i, rest)), rest);
  }
}

template <class Operation>
static void combineSpans(const Call& call) {
  const float* a = static_cast<const float*>(call.inputs[0].data);
  const float* b = static_cast<const float*>(call.inputs[1].data);
  float* y = static_cast<float*>(call.outputs[0].data);
  const int64_t period = countElements(call.inputs[1]);
  forEachSpan(call, countElements(call.outputs[0]), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end;) {
      const int64_t column = i % period;
      const int64_t count = end - i < period - column ? end - i : period - column;
      combine<Operation>(a + i, b + column, y + i, count);
      i += count;
    }
  });
}

static void add(const Call& call, int, int, Scratch) { combineSpans<Addition>(call); }

static void multiply(const Call& call, int, int, Scratch) { combineSpans<Multiplication>(call); }

static void scale(const Call& call, int, int, Scratch) {
  const float* x = static_cast<const float*>(call.inputs[0].data);
  float* y = static_cast<float*>(call.outputs[0].data);
  const F32 factor = broadcast(static_cast<float>(call.floats[0]));
  const F32 shift = broadcast(static_cast<float>(call.floats[1]));
  forEachSpan(call, countElements(call.outputs[0]), [&](int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) store(y + i, fma(load(x + i), factor, shift));
    const int rest = static_cast<int>(end - i);
    if (rest > 0) storeFirst(y + i, fma(loadFirst(x + i, rest), factor, shift), rest);
  });
}

}  // namespace heddle::HEDDLE_ISA
