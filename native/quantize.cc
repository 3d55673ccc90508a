#include "quantize.h"

#include <math.h>
#include <string.h>

#include "quantize_int4.h"

namespace heddle {
namespace {

// max |x|, NaN where an element is NaN or infinite.
float largestOf(const float* row, int64_t count, int64_t stride) {
  float largest = 0;
  float spoilt = 0;  // stays 0 as long as every element is finite
  for (int64_t i = 0; i < count; ++i) {
    const float magnitude = fabsf(row[i * stride]);
    if (magnitude > largest) largest = magnitude;
    spoilt += row[i * stride] * 0.0f;
  }
  return largest + spoilt;
}

}  // namespace

void quantizeTable(const float* source, int64_t rows, int64_t columns, bool transposed,
                   void* target) {
  int8_t* values = static_cast<int8_t*>(target);
  const int64_t at = int8ScalesAt(rows, columns);
  memset(values + rows * columns, 0, static_cast<size_t>(at - rows * columns));
  const int64_t rowStride = transposed ? 1 : columns, stride = transposed ? rows : 1;
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = source + r * rowStride;
    const float largest = largestOf(row, columns, stride);
    const bool usable = largest >= kInt8Smallest;
    const float factor = usable ? kInt8Limit / largest : 0.0f;
    const float scale = usable ? largest / kInt8Limit : largest * 0.0f;
    for (int64_t c = 0; c < columns; ++c) {
      const float value = usable ? nearbyintf(row[c * stride] * factor) : 0.0f;
      values[r * columns + c] = static_cast<int8_t>(value);
    }
    memcpy(values + at + r * 4, &scale, sizeof(scale));
  }
  memset(values + at + rows * 4, 0, static_cast<size_t>(rows * 4));  // the zeros
}

void dequantizeTable(const void* source, int64_t rows, int64_t columns, float* target) {
  const int8_t* values = static_cast<const int8_t*>(source);
  const int8_t* scales = values + int8ScalesAt(rows, columns);
  for (int64_t r = 0; r < rows; ++r) {
    float scale;
    memcpy(&scale, scales + r * 4, sizeof(scale));
    for (int64_t c = 0; c < columns; ++c) {
      target[r * columns + c] = static_cast<float>(values[r * columns + c]) * scale;
    }
  }
}

void quantizeWeights(DType dtype, const float* source, int64_t rows, int64_t columns,
                     bool transposed, void* target, int thread, int threads) {
  if (dtype == DType::kInt8) {
    if (thread == 0) quantizeTable(source, rows, columns, transposed, target);
    return;
  }
  const int64_t first = rows * thread / threads, end = rows * (thread + 1) / threads;
  Int4Block* blocks = static_cast<Int4Block*>(target);
  const int64_t stride = transposed ? rows : 1;
  for (int64_t r = first; r < end; ++r) {
    quantizeInt4Row(source + (transposed ? r : r * columns), columns, stride,
                    blocks + r * blocksOf(columns));
  }
}

void dequantizeWeights(DType dtype, const void* source, int64_t rows, int64_t columns,
                       float* target) {
  if (dtype == DType::kInt8) return dequantizeTable(source, rows, columns, target);
  const Int4Block* blocks = static_cast<const Int4Block*>(source);
  for (int64_t r = 0; r < rows; ++r) {
    dequantizeInt4Row(blocks + r * blocksOf(columns), columns, target + r * columns);
  }
}

}  // namespace heddle
