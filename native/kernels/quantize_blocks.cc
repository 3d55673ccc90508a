#include "kernels/quantize_blocks.h"

#include "kernels/quantized.h"
#include "kernels/rows.h"

namespace heddle::HEDDLE_ISA {

// `count` values, 1 … 32.
static void quantizeBlock(const float* x, int64_t count, Int8Block* block) {
  F32 magnitudes = zero(), spoilt = zero();  // `spoilt` stays 0 where every element is finite
  forEachVector(count, [&](int64_t i, int n) {
    const F32 value = loadUpTo(x + i, n);
    magnitudes = max(abs(value), magnitudes);
    spoilt = fma(value, zero(), spoilt);
  });
  const float largest = maximum(magnitudes) + sum(spoilt);
  const bool usable = largest >= kInt8Smallest;  // false for NaN
  const F32 factors = broadcast(usable ? kInt8Limit / largest : 0.0f);
  F32 sums = zero();
  forEachVector(count, [&](int64_t i, int n) {
    // 0 times an infinity is NaN: such a block's values must be numbers all the same.
    const F32 value = usable ? roundEven(mul(loadUpTo(x + i, n), factors)) : zero();
    sums = add(sums, value);
    uint8_t* to = reinterpret_cast<uint8_t*>(block->values) + i;
    if (n == kLanes) {
      storeBytes(to, value);
    } else {
      storeFirstBytes(to, value, n);
    }
  });
  for (int64_t i = count; i < kBlockValues; i++) block->values[i] = 0;
  block->scale = usable ? largest / kInt8Limit : largest * 0.0f;
  block->sum = block->scale * sum(sums);
}

static void quantizeRowBlocks(const float* x, int64_t columns, Int8Block* blocks) {
  for (int64_t i = 0; i < columns; i += kBlockValues) {
    quantizeBlock(x + i, smaller(columns - i, kBlockValues), blocks + i / kBlockValues);
  }
}

static void quantizeBlocks(const Call& call, int, int, Scratch) {
  const float* x = static_cast<const float*>(call.inputs[0].data);
  const int64_t rows = call.outputs[0].dims[0], columns = call.outputs[0].dims[1];
  Int8Block* blocks = static_cast<Int8Block*>(call.outputs[0].data);
  forEachRow(call, rows, columns, [&](int64_t r) {
    quantizeRowBlocks(x + r * columns, columns, blocks + r * blocksOf(columns));
  });
}

}  // namespace heddle::HEDDLE_ISA
