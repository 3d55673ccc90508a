#include "kernels/dropout.h"

#include "kernels/span.h"

namespace heddle::HEDDLE_ISA {

constexpr int64_t kPhiloxBlocks = 16;  // at once: enough for the compiler to fill its vectors

struct PhiloxKey {
  uint32_t first, second, site;
};

// The words of kPhiloxBlocks blocks, one array for each of the four.
static void philox(uint64_t block, PhiloxKey key, uint32_t (&words)[4][kPhiloxBlocks]) {
  for (int64_t i = 0; i < kPhiloxBlocks; i++) {
    const uint64_t counter = block + static_cast<uint64_t>(i);
    words[0][i] = static_cast<uint32_t>(counter);
    words[1][i] = static_cast<uint32_t>(counter >> 32);
    words[2][i] = key.site;
    words[3][i] = 0;
  }
  for (int round = 0; round < 10; round++) {
    for (int64_t i = 0; i < kPhiloxBlocks; i++) {
      const uint64_t a = uint64_t{0xd2511f53} * words[0][i];
      const uint64_t b = uint64_t{0xcd9e8d57} * words[2][i];
      words[0][i] = static_cast<uint32_t>(b >> 32) ^ words[1][i] ^ key.first;
      words[1][i] = static_cast<uint32_t>(b);
      words[2][i] = static_cast<uint32_t>(a >> 32) ^ words[3][i] ^ key.second;
      words[3][i] = static_cast<uint32_t>(a);
    }
    key.first += 0x9e3779b9;
    key.second += 0xbb67ae85;
  }
}

static void dropout(const Call& call, int, int, Scratch) {
  const float* x = static_cast<const float*>(call.inputs[0].data);
  float* y = static_cast<float*>(call.outputs[0].data);
  const PhiloxKey key = {static_cast<uint32_t>(*static_cast<const int32_t*>(call.inputs[1].data)),
                         static_cast<uint32_t>(*static_cast<const int32_t*>(call.inputs[2].data)),
                         static_cast<uint32_t>(call.ints[0])};
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
