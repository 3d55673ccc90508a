// Each row as it is, and after it what is needed to draw from it without looking at all of it:
// f32[R,C], temperatures f32[R] → f32[R, C + 3·⌈C/128⌉]. Of each 128 columns in turn, the last
// perhaps fewer:
//   the greatest g; then, for all of them, Σ exp(x − g); then Σ exp(x/t − g/t), quotients rounded.
//
// A sum is NaN where a column is NaN or +∞, and 0 where all are −∞; g is the greatest that is not
// NaN. Accumulated in float32, at most 20 additions deep. With exp within 2 ULP and as Σ p·(g − x)
// is at most the logarithm of 128, the entropy's bound, a sum is within 29·2⁻²⁴ of its value.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

constexpr int64_t kLogitBlock = 128;

static void logitBlocks(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
