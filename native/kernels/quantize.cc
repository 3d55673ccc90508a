#include "kernels/quantize.h"

#include "kernels/rows.h"

namespace heddle::HEDDLE_ISA {

struct Range {
  float low, high;  // low ≤ 0 ≤ high; both NaN where an element is NaN or infinite
};

static inline Range rangeOf(const float* x, int64_t count) {
  F32 low = zero(), high = zero();
  F32 spoilt = zero();  // stays 0 as long as every element is finite
  forEachVector(count, [&](int64_t i, int n) {
    const F32 value = loadUpTo(x + i, n);
    low = min(value, low);
    high = max(value, high);
    spoilt = fma(value, zero(), spoilt);
  });
  const float nan = sum(spoilt);
  return {-maximum(neg(low)) + nan, maximum(high) + nan};
}

static void quantizeRow(const float* x, int64_t columns, const QuantizedRow& row) {
  const Range range = rangeOf(x, columns);
  const float width = range.high - range.low;
  const bool usable = width >= kInt8Smallest && width * 0.0f == 0.0f;  // false for NaN
  const float factor = usable ? kInt8Steps / width : 0.0f;
  const float shift = usable ? maximum(roundEven(broadcast(-range.low * factor))) - 128.0f : 0.0f;
  *row.scale = usable ? width / kInt8Steps : width * 0.0f;
  *row.zero = static_cast<int32_t>(shift) + kDotOffset;
  const F32 factors = broadcast(factor), shifts = broadcast(shift);
  const F32 least = broadcast(-128.0f), most = broadcast(127.0f);
  const F32 offset = broadcast(static_cast<float>(kDotOffset));
  forEachVector(columns, [&](int64_t i, int n) {
    // 0 times an infinity is NaN: such a row's values must be numbers all the same.
    const F32 scaled = usable ? roundEven(mul(loadUpTo(x + i, n), factors)) : zero();
    const F32 value = add(max(least, min(most, add(scaled, shifts))), offset);
    if (n == kLanes) {
      storeBytes(row.values + i, value);
    } else {
      storeFirstBytes(row.values + i, value, n);
    }
  });
}

static void quantizeRows(const Call& call, int, int, Scratch) {
  const float* x = static_cast<const float*>(call.inputs[0].data);
  const int64_t rows = call.outputs[0].dims[0], columns = call.outputs[0].dims[1];
  uint8_t* values = static_cast<uint8_t*>(call.outputs[0].data);
  float* scales = reinterpret_cast<float*>(values + int8ScalesAt(rows, columns));
  int32_t* zeros = reinterpret_cast<int32_t*>(values + int8ZerosAt(rows, columns));
  forEachRow(call, rows, columns, [&](int64_t r) {
    quantizeRow(x + r * columns, columns, {values + r * columns, scales + r, zeros + r});
  });
}

}  // namespace heddle::HEDDLE_ISA
