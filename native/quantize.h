// int8 and int4 tensors from float32 and back, on the engine's side: weights as they are loaded and
// read. Rows of activations are quantised by kernels (kernels/quantize.h, quantize_blocks.h).
#pragma once

#include <stdint.h>

#include "kernels/kernel.h"
#include "kernels/quantized.h"

namespace heddle {

// The dtypes that are made from float32 and read as float32.
inline bool isQuantized(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kInt4; }

// source: float32 [rows,columns], or [columns,rows] where `transposed`. target: the tensor; thread
// t of T writes its share of the rows, and together they write every byte.
void quantizeWeights(DType dtype, const float* source, int64_t rows, int64_t columns,
                     bool transposed, void* target, int thread, int threads);
// Inverse, up to the rounding: float32 [rows,columns].
void dequantizeWeights(DType dtype, const void* source, int64_t rows, int64_t columns,
                       float* target);

}  // namespace heddle
