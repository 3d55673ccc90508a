// out[r] = table[ids[r]]·scale + residual[r]; table f32, f16 or bf16 [V,C], widened exactly; ids
// i32[R], known to lie in [0, V). residual f32[R,C] may be absent. One fused multiply-add per
// element.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void embedding(const Call& call, int thread, int threads, Scratch scratch);

// The same of a table that is packed for `linear`, and then need not be held plain as well; f32,
// f16, bf16 or int8.
static void embeddingPacked(const Call& call, int thread, int threads, Scratch scratch);

// out[v] = scale·Σ gradient[r] over the rows with ids[r] = v, in their order: f32[V,C].
// Accumulator: float32. Each entry is summed by one thread, so the bits do not depend on how many
// there are.
static void embeddingGradient(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
