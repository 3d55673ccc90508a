// Rows of int8 weights (kernels/quantized.h) from float32 and back.
#pragma once

#include <stdint.h>

namespace heddle {

// Returns the row's scale.
float quantizeInt8Row(const float* row, int64_t columns, int8_t* values);

// Inverse, up to the rounding.
void dequantizeInt8Row(const int8_t* values, float scale, int64_t columns, float* row);

}  // namespace heddle
