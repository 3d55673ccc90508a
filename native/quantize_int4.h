// Rows of int4 weights (kernels/quantized_blocks.h) from float32 and back.
#pragma once

#include <stdint.h>

#include "kernels/quantized_blocks.h"

namespace heddle {

// Elements of the row are `stride` floats apart.
void quantizeInt4Row(const float* row, int64_t columns, int64_t stride, Int4Block* blocks);

// Inverse, up to the rounding.
void dequantizeInt4Row(const Int4Block* blocks, int64_t columns, float* row);

}  // namespace heddle
