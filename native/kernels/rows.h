// How kernels that treat every row alike share the rows.
#pragma once

#include "kernels/kernel.h"
#include "kernels/tile.h"

namespace heddle::HEDDLE_ISA {

// Calls row(r) for every row. A claim is worth about 8192 elements: small against a row of work for
// one thread, large against the atomic addition.
template <typename Row>
static inline void forEachRow(const Call& call, int64_t rows, int64_t columns, const Row& row) {
  const int64_t chunk = divideUp(8192, columns > 0 ? columns : 1);
  while (!isCancelled(call)) {
    const int64_t begin = claim(call.work) * chunk;
    if (begin >= rows) return;
    const int64_t end = smaller(begin + chunk, rows);
    for (int64_t r = begin; r < end; r++) row(r);
  }
}

// Calls part(i, n) for n = kLanes elements at a time and for the rest. Inlined, the test of n in
// loadUpTo and storeUpTo costs nothing in the loop.
template <typename Part>
static inline void forEachVector(int64_t count, const Part& part) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) part(i, kLanes);
  if (i < count) part(i, static_cast<int>(count - i));
}

HEDDLE_INLINE F32 loadUpTo(const float* p, int n) {
  return n == kLanes ? load(p) : loadFirst(p, n);
}
HEDDLE_INLINE void storeUpTo(float* p, F32 x, int n) {
  if (n == kLanes) {
    store(p, x);
  } else {
    storeFirst(p, x, n);
  }
}

// Σ term(i, n) over n = kLanes elements at a time; term gives 0 in the lanes from n on. Four
// partial sums per lane hide the latency of the addition and shorten its chain to C / (4·kLanes).
template <typename Term>
static inline float sumOver(int64_t count, const Term& term) {
  F32 parts[4] = {zero(), zero(), zero(), zero()};
  int64_t i = 0;
  for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
    for (int v = 0; v < 4; v++) parts[v] = add(parts[v], term(i + v * kLanes, kLanes));
  }
  forEachVector(count - i, [&](int64_t j, int n) { parts[0] = add(parts[0], term(i + j, n)); });
  return sum(add(add(parts[0], parts[1]), add(parts[2], parts[3])));
}

HEDDLE_INLINE F32 keepFirst(F32 x, int n) {
  return n == kLanes ? x : select(less(iota(), broadcast(static_cast<float>(n))), x, zero());
}

}  // namespace heddle::HEDDLE_ISA
