// The place of the greatest element of each row, and that element: f32[R,C] → f32[R,2], of no
// elements NaN.
//
// Of equal elements the first. A NaN counts as greater than anything, so that a row which holds one
// gives the first of them, as in NumPy and PyTorch. Columns are numbered exactly up to 2²⁴.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void argmax(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
