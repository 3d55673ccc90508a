// y = act(x·Wᵀ + bias) + residual for x [R,K] in blocks of int8 (made by quantizeBlocks) and W
// [N,K] in blocks of int4, packed once at load (kernels/packing_int4.h).
//
//   y = Σ_b (Σ values of x · values of W)·(scale of W · scale of x) + minimum of W · sum of x
//
// Accumulator: int32 within a block, exact; float32 over the blocks, one chain for each output, in
// order. So a row's result depends neither on the other rows nor on the team.
#pragma once

#include "kernels/gemm.h"
#include "kernels/quantized_blocks.h"
