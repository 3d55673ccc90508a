// The only kernels that write a State.
//
//   assign  state = source, of the same size, unless a guard, f32[1], is there and not finite
//   append  state[at + r] = source[r]; source f32[R,C], at i32[1], state f32[capacity,C];
//           0 ≤ at ≤ capacity − R is known
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void assign(const Call& call, int thread, int threads, Scratch scratch);
static void append(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
