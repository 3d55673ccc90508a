// The gradients of `attention` by q, k and v, given that of its output (Dao, "FlashAttention-2",
// 2023, section 2.3.2). With weights P = e^(S − m)/Σ, where m is a row's greatest score, and
// D = Σ gradient·output of a row:
//
//   ∂v = Pᵀ·gradient      T = P∘(gradient·vᵀ − D)      ∂q = scale·T·k      ∂k = scale·Tᵀ·q
//
// and T∘(1 − (s / softCap)²) where scores are capped, s being what a bias is added to. Three nodes:
//
//   attentionStatistics        m, 1/Σ and D, [Rq,3·H]: three numbers for each row and head
//   attentionQueryGradient     ∂q, tile of queries by tile of queries
//   attentionKeyValueGradient  ∂k and ∂v side by side, block of keys by block of keys
//
// so that no sum is shared between threads, and none depends on their number; the price is that
// scores are made again in each. As in `attention`, they only ever exist for a tile and a block.
// Not for disentangled biases.
//
// Accumulator: float32; one chain over the keys for ∂q, over the query rows for ∂k and ∂v, counted
// from the start of their segment.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void attentionStatistics(const Call& call, int thread, int threads, Scratch scratch);
static void attentionQueryGradient(const Call& call, int thread, int threads, Scratch scratch);
static void attentionKeyValueGradient(const Call& call, int thread, int threads, Scratch scratch);
static size_t attentionGradientScratch(const Call& call);

}  // namespace heddle::HEDDLE_ISA
