// Blocks of columns taken out of every row, side by side.
//
//   out[r, b·size + i] = x[r, first + b·step + i]    for b < count, i < size
//
// What a projection to queries, keys and values at once gives is cut up this way: its heads may lie
// between each other.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void columns(const Call& call, int thread, int threads, Scratch scratch);

// The same blocks put back, zeros elsewhere, plus a residual: the gradient by x.
static void columnsGradient(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
