// ρ_t(x)_j = e^{t·x_j} / Σ_i e^{t·x_i} over the last dimension, f32[R,C]; t is an inverse
// temperature and may be zero (uniform) or negative (the least element wins).
//
// Computed as e^{t·(x_j − x*)} with x* the element of the greatest t·x, so that no exponent is
// positive and t·x itself cannot overflow. A row with a NaN, with an infinite t·x*, or (at t = 0)
// with any infinity is NaN, as the formula is: so a row of −∞ is NaN, as in PyTorch. Accumulator:
// float32, 4·kLanes partial sums; relative error below (C / (4·kLanes) + 12)·2⁻²⁴ plus that of the
// exponent, |t|·|x_j − x*|·2⁻²³.
#pragma once

#include "kernels/kernel.h"
#include "simd/math.h"

namespace heddle::HEDDLE_ISA {

static void softmax(const Call& call, int thread, int threads, Scratch scratch);

// One row of n ≥ 1; y may be x.
static void softmaxRow(const float* x, float* y, int64_t n, float t);

// t·y·(gradient − Σ gradient·y), row by row, for y = ρ_t(x): the gradient by x.
static void softmaxGradient(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
