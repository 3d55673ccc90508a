// Fused attention over packed rows.
//
//   out[i, h] = Σ_j softmax_j(softCap·tanh(scale·q[i, h]·k[j, h'] / softCap) + bias) · v[j, h']
//
// for the keys j of query i's segment that lie within its window; h' = h·G/H, the key head that H/G
// query heads share. Operands: README.md. A query that sees no key gives zeros. A bias may depend
// on query and key (disentangled attention): attention_relative.h.
//
// The score matrix never exists: a tile of queries meets blocks of 64 keys one after the other,
// with running maxima and sums (Milakov & Gimelshein, "Online normalizer calculation for softmax",
// 2018; Dao et al., "FlashAttention", 2022). Scratch does not depend on the lengths.
//
// Accumulator: float32. Scores are one chain over d; a row's maximum, sum and output advance by
// blocks counted from the start of its key segment, and a row is rescaled only by its own maximum.
// So a row's bits depend neither on the thread count nor on the other rows, heads and segments of
// the batch.
//
// A NaN or infinity in k or v reaches the queries that see that key, and no others.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void attention(const Call& call, int thread, int threads, Scratch scratch);
static size_t attentionScratch(const Call& call);

// The weights themselves, for whoever wants to look at them: f32[H, P], every query with every key
// of its segment, zero where the key is not visible. The one place where scores are written out.
static void attentionWeights(const Call& call, int thread, int threads, Scratch scratch);
static size_t attentionWeightsScratch(const Call& call);

}  // namespace heddle::HEDDLE_ISA
