// The parts of an optimiser's step, each element by itself but for the sum.
//
//   sumOfSquares  Σ x², f32[1]; blocks of 4096 in float32, their sums added in float64
//   clipFactor    min(1, maxNorm / (√squares + 1e-6)), f32[1]; NaN where squares is
//   moment        keep·before + take·(factor·gradient)^order
//   descend       p − rate·(step + weightDecay·p); the step is c₁·direction, over
//                 √(c₂·squares) + epsilon where there are squares; or the direction's sign
//
//   adam          a moment of either order and a descent over the root of the second, written to
//                 parameter, first and second, in one pass; nothing where the guard is not finite
//
// rate, c₁, c₂ are the three `rates`; Adam's c is 1 / (1 − βᵗ) (Kingma & Ba, 2015, algorithm 1).
// One rounding per operation.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void sumOfSquares(const Call& call, int thread, int threads, Scratch scratch);
static void clipFactor(const Call& call, int thread, int threads, Scratch scratch);
static void moment(const Call& call, int thread, int threads, Scratch scratch);
static void descend(const Call& call, int thread, int threads, Scratch scratch);
static void adam(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
