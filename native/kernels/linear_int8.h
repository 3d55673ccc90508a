// y = act(x·Wᵀ + bias) + residual for int8 x [R,K] (made by quantizeRows) and W [N,K], packed once
// at load.
//
// Accumulator: int32, exact for K ≤ kMaxInt8Columns; then one rounding to float32 and two
// multiplications by the scales. So every instruction set gives the same sums.
#pragma once

#include "kernels/gemm.h"
#include "kernels/quantized.h"
