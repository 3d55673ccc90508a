// The gradients of `attention` by q, k and v, given that of its output (Dao, "FlashAttention-2",
// 2023, section 2.3.2). With weights P = e^(S − m)/Σ, where m is a row's greatest score and Σ its
// sum, both as `attention` kept them, and D = Σ gradient·output of a row:
//
//   ∂v = Pᵀ·gradient      T = P∘(gradient·vᵀ − D)      ∂q = scale·T·k      ∂k = scale·Tᵀ·q
//
// (m and Σ apart, because a logarithm of the sum would bring its rounding to all weights of a row)
// and T∘(1 − (s / softCap)²) where scores are capped, s being what a bias is added to. Dropout of
// weights multiplies P in ∂v and gradient·vᵀ in T by the same 0 or keepScale, made again from its
// key. Terms of disentangled biases: attention_relative_gradient.h. As in
// `attention`, scores only ever exist for a tile of queries and a block of keys. Each such pair is
// multiplied five times, the least there is: by one thread that goes through a segment and key
// head, tile by tile and block by block within. Where those are too few or too uneven for the team,
// tiles and blocks are shared instead: a tile's ∂q and a block's ∂k and ∂v each make the scores
// again, and multiply seven times.
//
// Accumulator: float32; one chain over the keys for ∂q, over the query rows for ∂k and ∂v, counted
// from the start of their segment. So bits depend neither on the thread count, nor on the other
// segments of the batch, nor on how the work was shared.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void attentionGradient(const Call& call, int thread, int threads, Scratch scratch);
static size_t attentionGradientScratch(const Call& call);

}  // namespace heddle::HEDDLE_ISA
