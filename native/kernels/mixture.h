// Mixtures of experts (Shazeer et al., "Outrageously Large Neural Networks", 2017): each row goes
// through k of E networks, and only those are multiplied.
//
// The R·k assignments of rows to experts are sorted by expert, and by row for each expert.
// `routing`, f32[R, 4k], holds four lists of R·k numbers each:
//
//   assignments  of each place in that order: row·k + slot
//   experts      of each place
//   weights      of each place
//   places       of each assignment; the slots of a row are in the order of their experts
//
//   routeExperts    logits f32[R,E] → routing; weights are softmax(logits) of the k largest, which
//   are divided
//                   by their sum where `normalised`
//   linearExperts   y[place] = x·W[expert]ᵀ; W is E matrices [n,K], one after the other; x f32[R,K]
//                   (`gather`), or what another such product gave, f32[R, k·K]; y f32[R, k·n], a
//                   place after the other
//   joinExperts     out[r] = Σ weight·y[place] over the slots of r, f32[R,C]; weights count as 1
//                   unless `weighed`
//
// Accumulators: products as in gemm.h, or for an int8 or int4 weight as in linear_int8.h and
// linear_int4.h, with x rounded as quantizeRows and quantizeBlocks do; float32 otherwise. So a
// row's result does not depend on the other rows. Consumers hold what they read of `routing` to its
// range: it may be anything.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void routeExperts(const Call& call, int thread, int threads, Scratch scratch);
static size_t routeExpertsScratch(const Call& call);
static void linearExperts(const Call& call, int thread, int threads, Scratch scratch);
static size_t linearExpertsScratch(const Call& call);
static void joinExperts(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
