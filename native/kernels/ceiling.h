// Two kernels that do nothing but the one thing which bounds all others, for profiles to be
// measured against: multiplyAdd keeps the multipliers busy from registers, sumRows reads memory.
//
//   multiplyAdd  y = f(f(…f(x))), `steps` times f(x) = x/2 + 1/4, for x of any shape. A chain of
//                fused multiply-adds for each element, as many chains at a time as a register tile
//                of `linear` has sums.
//   sumRows      y[r] = Σ_c x[r,c] for x [R,C]. Accumulator: float32, 4·kLanes partial sums.
#pragma once
