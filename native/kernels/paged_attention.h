// Attention of packed rows to the cached keys and values of their sequences (kv_pages.h).
//
// The rows of segment s are the last of its lengths[s] positions, and each sees the positions up to
// its own, as far back as the window goes. Pages of segment s are tables[tableOffsets[s]] … in
// order.
//
// A row's result comes in parts (Dao et al., "Flash-Decoding for long-context inference", 2023), so
// that a team can share one row's keys: part j of n covers positions 512·j … 512·(j + 1), the last
// one also what follows, and holds for each head the sums Σ e^(s − m)·v and Σ e^(s − m) and the
// maximum m of the scores s. A part that covers more than 512 positions adds their parts up in
// order, which is what joinParts does with all parts of a row. So the bits of a row do not depend
// on how many parts it has.
//
//   parts     f32[P, H·e + 2·H]: sums of values by head, maxima, sums of weights
//   joinParts f32[R, H·e] = Σ parts / Σ weights; zeros where a row saw nothing
//
// Accumulator: float32, blocks of 64 keys as in attention.h, whose guarantees hold here, too.
#pragma once

#include "kernels/kernel.h"
#include "kernels/page_size.h"

namespace heddle::HEDDLE_ISA {

static void pagedAttention(const Call& call, int thread, int threads, Scratch scratch);
static size_t pagedAttentionScratch(const Call& call);
static void joinParts(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
