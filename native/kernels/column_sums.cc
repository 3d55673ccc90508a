#include "kernels/column_sums.h"

#include "kernels/rows.h"

namespace heddle::HEDDLE_ISA {

constexpr int64_t kSumColumns = 64;  // of a work item: four cache lines of each row
constexpr int64_t kSumRows = 64;
// Rows lie a page or more apart, where the hardware does not see what comes next.
constexpr int64_t kSumRowsAhead = 8;

// Σ over rows of the item's columns; b may be null.
static void sumColumns(const float* a, const float* b, int64_t rows, int64_t stride,
                       int64_t columns, float* y) {
  F32 totals[kSumColumns / kLanes];
  const int64_t vectors = divideUp(columns, kLanes);
  for (int64_t v = 0; v < vectors; v++) totals[v] = zero();
  for (int64_t block = 0; block < rows; block += kSumRows) {
    F32 parts[kSumColumns / kLanes];
    for (int64_t v = 0; v < vectors; v++) parts[v] = zero();
    const int64_t end = smaller(block + kSumRows, rows);
    for (int64_t r = block; r < end; r++) {
      const int64_t ahead = smaller(r + kSumRowsAhead, rows - 1) * stride;
      for (int64_t i = 0; i < columns; i += kLine / 4) {
        prefetch(a + ahead + i);
        if (b) prefetch(b + ahead + i);
      }
      forEachVector(columns, [&](int64_t i, int n) {
        const F32 value = loadUpTo(a + r * stride + i, n);
        F32& part = parts[i / kLanes];
        part = b ? fma(value, loadUpTo(b + r * stride + i, n), part) : add(part, value);
      });
    }
    for (int64_t v = 0; v < vectors; v++) totals[v] = add(totals[v], parts[v]);
  }
  forEachVector(columns, [&](int64_t i, int n) { storeUpTo(y + i, totals[i / kLanes], n); });
}

static void columnSums(const Call& call, int, int, Scratch) {
  const Tensor& a = call.inputs[0];
  const float* left = static_cast<const float*>(a.data);
  const float* right = static_cast<const float*>(call.inputs[1].data);
  float* y = static_cast<float*>(call.outputs[0].data);
  const int64_t groups = call.ints[0];
  const int64_t columns = a.dims[1] / groups, rows = a.dims[0] * groups;
  while (!isCancelled(call)) {
    const int64_t first = claim(call.work) * kSumColumns;
    if (first >= columns) return;
    sumColumns(left + first, right ? right + first : nullptr, rows, columns,
               smaller(kSumColumns, columns - first), y + first);
  }
}

}  // namespace heddle::HEDDLE_ISA
