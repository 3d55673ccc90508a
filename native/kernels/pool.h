// One vector per segment of packed rows, and vectors of length one.
//
//   pool         x f32[R,C], segments i32[S+1] → f32[S,C]; an empty segment gives zeros
//   l2Normalize  y = x / max(‖x‖₂, epsilon), row by row
//
// Accumulator of `pool`: float32; rows are added in order in blocks of 64, and the blocks' sums in
// order, so the relative error of a sum of n terms of one sign is below (64 + n/64)·2⁻²⁴.
// A NaN in a column makes that column NaN, with `max` too.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

enum class PoolMode : int64_t {
  kMean = 0,
  kFirst = 1,
  kLast = 2,
  kMax = 3,
  kMeanSqrt = 4,      // Σ x / √n, the mean times √n
  kWeightedMean = 5,  // Σ i·x_i / Σ i, i = 1 … n (Muennighoff, "SGPT", 2022)
};

static void pool(const Call& call, int thread, int threads, Scratch scratch);
static void l2Normalize(const Call& call, int thread, int threads, Scratch scratch);

// Their gradients by x, given that of the result. Of several equal greatest elements, the first of
// the segment takes the gradient of `max`. Below epsilon, l2Normalize divides by a constant.
static void poolGradient(const Call& call, int thread, int threads, Scratch scratch);
static void l2NormalizeGradient(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
