// y[c] = Σ_r a[r,c] (·b[r,c]): gradients of biases and of the gains of norms. With G groups, each
// of the G equal parts of a row counts as a row.
//
// Accumulator: float32, sums of 64 rows, which are added in order; so the error is below
// (64 + R·G/64)·u·Σ|terms|, u = 2⁻²⁴, and the bits do not depend on the thread count.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void columnSums(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
