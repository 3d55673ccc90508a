// The gradient of `attention` by its bias: T, the slope by score, as attentionGradient makes it,
// added up over all pairs that read a number of the bias; and by the tables of a disentangled one,
// ∂K and ∂Q of attention_relative_gradient.h.
//
// Accumulator: float32, one chain over the segments, tiles and blocks of a head in their order (of
// all heads, where they share a dense bias), whoever goes through it: bits do not depend on the
// thread count.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void attentionBiasGradient(const Call& call, int thread, int threads, Scratch scratch);
static size_t attentionBiasGradientScratch(const Call& call);

}  // namespace heddle::HEDDLE_ISA
