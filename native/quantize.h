// int8 tensors from float32 and back, on the engine's side: weights as they are loaded and read.
// Rows of activations are quantised by a kernel (kernels/quantize.h).
#pragma once

#include <stdint.h>

#include "kernels/quantized.h"

namespace heddle {

// source: float32 [rows,columns], or [columns,rows] where `transposed`. target: the int8 tensor,
// every byte of it.
void quantizeTable(const float* source, int64_t rows, int64_t columns, bool transposed,
                   void* target);

// Inverse, up to the rounding: float32 [rows,columns].
void dequantizeTable(const void* source, int64_t rows, int64_t columns, float* target);

}  // namespace heddle
