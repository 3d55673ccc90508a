// The plan as it comes from lib/graph/encode.ts: little-endian int64 words, floats as the bits of
// a double. Nothing in it is trusted: plan.cc checks every word with overflow-checked arithmetic.
//
// clang-format off
//   header   magic, symbols, values, nodes, states, inputs, outputs, arenaBytes
//   symbol   capacity: the most that a run may give this symbolic dimension
//   value    kind, dtype, index, rank, dim × rank; index: arena: byte offset; state, input, output: its number
//   node     kernel, nIn, nOut, nInts, nFloats, in × nIn, out × nOut, int × nInts, float × nFloats
// clang-format on
//
// A dim d ≥ 0 is constant; d < 0 is symbol −1 − d. An operand −1 is an absent optional.
// Arena offsets are multiples of kAlignment and leave room for the dims at capacity.
#pragma once

#include <stdint.h>

namespace heddle {

constexpr int64_t kPlanMagic = 0x314e4c5044444548;  // "HEDDPLN1"
constexpr int64_t kPlanHeaderWords = 8;

enum class ValueKind : int64_t {
  kArena = 0,   // lives in the run's arena
  kInput = 1,   // given at each run
  kOutput = 2,  // written by the run, returned to the caller
  kState = 3,   // outlives runs: parameters, caches; written by `assign` and `append` only
};

}  // namespace heddle
