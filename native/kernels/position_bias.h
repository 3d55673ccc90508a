// T5's relative position bias as a table over distances, for `attention`'s relative bias.
//
//   out[h, i] = table[bucket(i − D), h],  D = (columns − 1) / 2, distance = key minus query
//
// The buckets of Raffel et al., "Exploring the Limits of Transfer Learning" (2020), section 2.1:
// one per distance up to half of them, then logarithmically wider ones up to maxDistance, the last
// for all beyond. `bidirectional` splits the buckets between keys before and after the query;
// otherwise keys after it share bucket 0. The logarithm is taken in float32, as by the programs
// that trained with it.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void relativeBias(const Call& call, int thread, int threads, Scratch scratch);

// out[b, h] = Σ gradient[h, i] over the distances i of bucket b, in their order: f32[B,H].
static void relativeBiasGradient(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
