#include "kernels/pool.h"

#include "kernels/rows.h"

namespace heddle::HEDDLE_ISA {

constexpr int64_t kPoolColumns = 128;  // a work item is this many columns of one segment
constexpr int64_t kPoolBlock = 64;

// Up to kLanes columns of the rows of one segment, n ≥ 1 of them. Every mode is Σ w_i·x_i /
// divisor, the maximum aside.
static inline F32 poolSum(const float* x, int64_t stride, int64_t rows, int lanes, bool weighted) {
  F32 total = zero();
  for (int64_t block = 0; block < rows; block += kPoolBlock) {
    F32 part = zero();
    for (int64_t i = block; i < smaller(block + kPoolBlock, rows); i++) {
      const float weight = weighted ? static_cast<float>(i + 1) : 1.0f;
      part = fma(loadUpTo(x + i * stride, lanes), broadcast(weight), part);
    }
    total = add(total, part);
  }
  return total;
}

static inline F32 poolMax(const float* x, int64_t stride, int64_t rows, int lanes) {
  F32 greatest = loadUpTo(x, lanes);
  for (int64_t i = 1; i < rows; i++) {
    const F32 value = loadUpTo(x + i * stride, lanes);
    greatest = select(isNan(greatest), greatest, max(greatest, value));
  }
  return greatest;
}

static inline F32 poolVector(PoolMode mode, const float* x, int64_t stride, int64_t rows,
                             int lanes) {
  if (rows == 0) return zero();
  const float count = static_cast<float>(rows);
  switch (mode) {
    case PoolMode::kFirst:
      return loadUpTo(x, lanes);
    case PoolMode::kLast:
      return loadUpTo(x + (rows - 1) * stride, lanes);
    case PoolMode::kMax:
      return poolMax(x, stride, rows, lanes);
    case PoolMode::kMeanSqrt:
      return div(poolSum(x, stride, rows, lanes, false), sqrt(broadcast(count)));
    case PoolMode::kWeightedMean:
      return div(poolSum(x, stride, rows, lanes, true), broadcast(0.5f * count * (count + 1)));
    case PoolMode::kMean:
      break;
  }
  return div(poolSum(x, stride, rows, lanes, false), broadcast(count));
}

static void pool(const Call& call, int, int, Scratch) {
  const Tensor& x = call.inputs[0];
  const int32_t* segments = static_cast<const int32_t*>(call.inputs[1].data);
  const Tensor& out = call.outputs[0];
  const PoolMode mode = static_cast<PoolMode>(call.ints[0]);
  const int64_t columns = x.dims[1];
  const int64_t parts = divideUp(columns, kPoolColumns);
  while (!isCancelled(call)) {
    const int64_t item = claim(call.work);
    if (item >= out.dims[0] * parts) return;
    const int64_t s = item / parts;
    const int64_t first = item % parts * kPoolColumns;
    const float* from = static_cast<const float*>(x.data) + segments[s] * columns + first;
    float* to = static_cast<float*>(out.data) + s * columns + first;
    forEachVector(smaller(kPoolColumns, columns - first), [&](int64_t i, int n) {
      storeUpTo(to + i, poolVector(mode, from + i, columns, segments[s + 1] - segments[s], n), n);
    });
  }
}

static void l2Normalize(const Call& call, int, int, Scratch) {
  const Tensor& x = call.inputs[0];
  const float* from = static_cast<const float*>(x.data);
  float* to = static_cast<float*>(call.outputs[0].data);
  const int64_t columns = x.dims[1];
  const F32 epsilon = broadcast(static_cast<float>(call.floats[0]));
  forEachRow(call, x.dims[0], columns, [&](int64_t r) {
    const float* row = from + r * columns;
    const float squares = sumOver(columns, [&](int64_t i, int n) {
      const F32 value = loadUpTo(row + i, n);
      return mul(value, value);
    });
    // The norm second: max gives its second operand where one is NaN.
    const F32 divisor = max(epsilon, sqrt(broadcast(squares)));
    forEachVector(columns, [&](int64_t i, int n) {
      storeUpTo(to + r * columns + i, div(loadUpTo(row + i, n), divisor), n);
    });
  });
}

// What the rows of a segment take of its gradient: weight·(1, 2, 3 … where it grows), or the whole
// for the row `chosen`, a number for each lane.
struct PoolShare {
  float weight;
  bool grows, isChosen;
  F32 chosen;
};

static inline PoolShare poolShare(PoolMode mode, const float* x, int64_t stride, int64_t rows,
                                  int lanes) {
  const float count = static_cast<float>(rows);
  switch (mode) {
    case PoolMode::kFirst:
      return {1, false, true, zero()};
    case PoolMode::kLast:
      return {1, false, true, broadcast(count - 1)};
    case PoolMode::kMax: {
      F32 greatest = loadUpTo(x, lanes), chosen = zero();
      for (int64_t i = 1; i < rows; i++) {
        const F32 value = loadUpTo(x + i * stride, lanes);
        const Mask isGreater = less(greatest, value);
        greatest = select(isGreater, value, greatest);
        chosen = select(isGreater, broadcast(static_cast<float>(i)), chosen);
      }
      return {1, false, true, chosen};
    }
    case PoolMode::kMeanSqrt:
      return {1 / __builtin_sqrtf(count), false, false, zero()};
    case PoolMode::kWeightedMean:
      return {2 / (count * (count + 1)), true, false, zero()};
    case PoolMode::kMean:
      break;
  }
  return {1 / count, false, false, zero()};
}

static void poolGradient(const Call& call, int, int, Scratch) {
  const Tensor& x = call.inputs[0];
  const int32_t* segments = static_cast<const int32_t*>(call.inputs[1].data);
  const Tensor& gradient = call.inputs[2];
  const PoolMode mode = static_cast<PoolMode>(call.ints[0]);
  const int64_t columns = x.dims[1];
  const int64_t parts = divideUp(columns, kPoolColumns);
  while (!isCancelled(call)) {
    const int64_t item = claim(call.work);
    if (item >= gradient.dims[0] * parts) return;
    const int64_t s = item / parts;
    const int64_t first = item % parts * kPoolColumns;
    const int64_t rows = segments[s + 1] - segments[s];
    if (rows == 0) continue;
    const int64_t at = segments[s] * columns + first;
    const float* values = static_cast<const float*>(x.data) + at;
    const float* from = static_cast<const float*>(gradient.data) + s * columns + first;
    float* to = static_cast<float*>(call.outputs[0].data) + at;
    forEachVector(smaller(kPoolColumns, columns - first), [&](int64_t i, int n) {
      const PoolShare share = poolShare(mode, values + i, columns, rows, n);
      const F32 whole = mul(loadUpTo(from + i, n), broadcast(share.weight));
      for (int64_t r = 0; r < rows; r++) {
        const F32 number = broadcast(static_cast<float>(r));
        F32 part = whole;
        if (share.isChosen) part = select(equal(number, share.chosen), whole, zero());
        if (share.grows) part = mul(whole, add(number, broadcast(1.0f)));
        storeUpTo(to + r * columns + i, part, n);
      }
    });
  }
}

static void l2NormalizeGradient(const Call& call, int, int, Scratch) {
  const Tensor& x = call.inputs[0];
  const int64_t columns = x.dims[1];
  const float epsilon = static_cast<float>(call.floats[0]);
  forEachRow(call, x.dims[0], columns, [&](int64_t r) {
    const float* row = static_cast<const float*>(x.data) + r * columns;
    const float* gradient = static_cast<const float*>(call.inputs[1].data) + r * columns;
    const float squares = sumOver(columns, [&](int64_t i, int n) {
      const F32 value = loadUpTo(row + i, n);
      return mul(value, value);
    });
    const float along = sumOver(columns, [&](int64_t i, int n) {
      return mul(loadUpTo(row + i, n), loadUpTo(gradient + i, n));
    });
    const float norm = __builtin_sqrtf(squares);
    const F32 towards = broadcast(norm <= epsilon ? 0.0f : along / squares);
    const F32 factor = broadcast(1.0f / (norm <= epsilon ? epsilon : norm));
    forEachVector(columns, [&](int64_t i, int n) {
      const F32 rest = fnma(loadUpTo(row + i, n), towards, loadUpTo(gradient + i, n));
      storeUpTo(static_cast<float*>(call.outputs[0].data) + r * columns + i, mul(rest, factor), n);
    });
  });
}

}  // namespace heddle::HEDDLE_ISA
