// rowRange: some rows of a matrix, those from `first` on, as many as the output has.
// joinRows: the rows of a and then those of b; or, of vectors, their elements.
#include "kernels/span.h"

namespace heddle::HEDDLE_ISA {

static void copyFloats(float* to, const float* from, int64_t count) {
  __builtin_memcpy(to, from, sizeof(float) * static_cast<size_t>(count));
}

static void rowRange(const Call& call, int, int, Scratch) {
  const Tensor& x = call.inputs[0];
  const float* from = static_cast<const float*>(x.data) + call.ints[0] * x.dims[1];
  float* to = static_cast<float*>(call.outputs[0].data);
  forEachSpan(call, countElements(call.outputs[0]), [&](int64_t begin, int64_t end) {
    copyFloats(to + begin, from + begin, end - begin);
  });
}

static void joinRows(const Call& call, int, int, Scratch) {
  const float* a = static_cast<const float*>(call.inputs[0].data);
  const float* b = static_cast<const float*>(call.inputs[1].data);
  float* to = static_cast<float*>(call.outputs[0].data);
  const int64_t before = countElements(call.inputs[0]);
  forEachSpan(call, countElements(call.outputs[0]), [&](int64_t begin, int64_t end) {
    const int64_t middle = end < before ? end : before > begin ? before : begin;
    copyFloats(to + begin, a + begin, middle - begin);
    copyFloats(to + middle, b + (middle - before), end - middle);
  });
}

}  // namespace heddle::HEDDLE_ISA
