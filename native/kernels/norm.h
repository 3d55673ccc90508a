// Normalisation of each row of f32[R,C].
//
//   layerNorm  y = (x − mean) / √(variance + epsilon) · gamma + beta    (Ba et al. 2016)
//   rmsNorm    y = x / √(mean of x² + epsilon) · (gamma + offset)       (Zhang & Sennrich 2019)
//
// rmsNorm takes the columns in groups of equal size, each normalised by itself with the same gamma:
// the heads of queries and keys.
//
// gamma and beta may be absent (1 and 0). The variance is the biased one.
//
// Accumulator: float32, 4·kLanes partial sums. The mean is subtracted before anything is squared,
// and in two parts: the rounded mean m of a first pass, then the mean of x − m. So an offset common
// to the row cancels exactly where x is within a factor of two of m (Sterbenz 1974), however small
// the deviations. With u = 2⁻²⁴, n = C / (4·kLanes) + 8 and σ² = variance + epsilon: error of
// layerNorm, before gamma and beta, below (n + 6)·u·|y| + n·u·mean|x − m| / σ, plus u·|x| / σ where
// that subtraction rounds; relative error of rmsNorm below (n / 2 + 6)·u.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void layerNorm(const Call& call, int thread, int threads, Scratch scratch);
static void rmsNorm(const Call& call, int thread, int threads, Scratch scratch);

// Their gradients by x, given that of the result; g = gradient·gamma, n the normalised x, sums as
// above, errors relative to the greatest of |g|/σ in the row:
//
//   layerNormGradient  (g − mean(g) − n·mean(g·n)) / √(variance + epsilon)
//   rmsNormGradient    (g − n·mean(g·n)) / √(mean of x² + epsilon)
static void layerNormGradient(const Call& call, int thread, int threads, Scratch scratch);
static void rmsNormGradient(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
