#include "kernels/dropout.h"

#include "kernels/philox.h"
#include "kernels/span.h"

namespace heddle::HEDDLE_ISA {

static void dropout(const Call& call, int, int, Scratch) {
  const float* x = static_cast<const float*>(call.inputs[0].data);
  float* y = static_cast<float*>(call.outputs[0].data);
  const PhiloxKey key = {static_cast<uint32_t>(*static_cast<const int32_t*>(call.inputs[1].data)),
                         static_cast<uint32_t>(*static_cast<const int32_t*>(call.inputs[2].data)),
                         static_cast<uint32_t>(call.ints[0]), 0};
  const uint64_t threshold = static_cast<uint64_t>(call.ints[1]);
  const float scale = static_cast<float>(call.floats[0]);
  constexpr int64_t kAtOnce = 4 * kPhiloxBlocks;
  static_assert(kElementSpan % kAtOnce == 0, "spans begin with a block");
  forEachSpan(call, countElements(call.outputs[0]), [&](int64_t begin, int64_t end) {
    for (int64_t first = begin; first < end; first += kAtOnce) {
      uint32_t words[4][kPhiloxBlocks];
      philox(static_cast<uint64_t>(first) / 4, key, words);
      const int64_t count = end - first < kAtOnce ? end - first : kAtOnce;
      for (int64_t i = 0; i < count; i++) {
        const bool stays = words[i % 4][i / 4] >= threshold;
        y[first + i] = stays ? x[first + i] * scale : 0.0f;
      }
    }
  });
}

}  // namespace heddle::HEDDLE_ISA
