// Each row beside its neighbours, so that a convolution over rows becomes a product (im2col).
//
//   out[r, c·W + t] = x[n, c], n the row of r's segment whose position is p_r + t − (W − 1)/2
//
// and 0 where there is no such row. Columns are in the order of a convolution's weight [out, in,
// W]. Positions must grow within a segment; a neighbour is looked for at most W/2 rows away.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void unfold(const Call& call, int thread, int threads, Scratch scratch);

// out[n, c] = Σ gradient[r, c·W + t] over the rows r that have row n as their neighbour t:
// f32[R,C].
static void unfoldGradient(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
