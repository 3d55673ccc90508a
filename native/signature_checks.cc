#include "signature_checks.h"

#include <inttypes.h>

#include "error.h"
#include "node_checks.h"

namespace heddle {
namespace {

// Buckets of a table [B,H], and a bias [H,2D+1] over distances.
void checkBuckets(const NodeView& view, const Tensor& table, const Tensor& bias) {
  const bool bidirectional = view.ints[0] != 0;
  const int64_t buckets = table.dims[0];
  const int64_t least = bidirectional ? 4 : 2;
  if (buckets < least || buckets % least != 0) {
    fail(view, "table", "a multiple of " + std::to_string(least) + " buckets", dimsText(table));
  }
  const int64_t exact = bidirectional ? buckets / 4 : buckets / 2;
  if (view.ints[1] <= exact) {
    fail(view, "maxDistance", "more than " + std::to_string(exact), std::to_string(view.ints[1]));
  }
  if (bias.dims[0] != table.dims[1] || bias.dims[1] < 1 || bias.dims[1] % 2 != 1) {
    fail(view, "output", "[H, odd] of the table's H columns", dimsText(bias));
  }
}

// Blocks of the columns of `whole` that stand side by side in `part`.
void checkBlocks(const NodeView& view, const Tensor& whole, const Tensor& part) {
  const int64_t width = columns(view, "x", whole);
  const int64_t first = view.ints[0], step = view.ints[1], size = view.ints[2];
  const int64_t count = view.ints[3];
  if (size > width || count > width || first + size > width ||
      (count > 1 && (step < size || step > width || first + (count - 1) * step + size > width))) {
    fail(view, "first, step, size, count", "blocks inside the columns of x", dimsText(whole));
  }
  if (columns(view, "output", part) != size * count) {
    fail(view, "output", std::to_string(size * count) + " columns", dimsText(part));
  }
}

}  // namespace

void checkLinear(const NodeView& view) {
  if (view.inputs[1].dtype == DType::kInt8) fail(view, "weight", "floats", "int8");
  if (view.inputs[1].dtype == DType::kInt4) fail(view, "weight", "floats", "int4");
}

void checkLinearInt8(const NodeView& view) {
  if (view.inputs[1].dtype != DType::kInt8) fail(view, "weight", "int8", "another dtype");
}

void checkLinearInt4(const NodeView& view) {
  if (view.inputs[1].dtype != DType::kInt4) fail(view, "weight", "int4", "another dtype");
}

void checkEmbeddingPacked(const NodeView& view) {
  if (view.inputs[0].dtype == DType::kInt4) fail(view, "table", "floats or int8", "int4");
}

void checkMatmul(const NodeView& view) {
  const bool transposeA = view.ints[0] != 0, transposeB = view.ints[1] != 0;
  const Tensor &a = view.inputs[0], &b = view.inputs[1], &out = view.outputs[0];
  if (a.dims[transposeA ? 0 : 1] != b.dims[transposeB ? 1 : 0]) {
    fail(view, "b", "the inner dim of a " + dimsText(a), dimsText(b));
  }
  if (out.dims[0] != a.dims[transposeA ? 1 : 0] || out.dims[1] != b.dims[transposeB ? 0 : 1]) {
    fail(view, "output", "the outer dims of " + dimsText(a) + " and " + dimsText(b), dimsText(out));
  }
}

void checkRelativeBias(const NodeView& view) {
  checkBuckets(view, view.inputs[0], view.outputs[0]);
}

void checkRelativeBiasGradient(const NodeView& view) {
  checkBuckets(view, view.outputs[0], view.inputs[0]);
}

void checkRmsNorm(const NodeView& view) {
  const int64_t width = columns(view, "x", view.inputs[0]), groups = view.ints[0];
  if (width % groups != 0) {
    fail(view, "x", "columns divisible by " + std::to_string(groups) + " groups",
         dimsText(view.inputs[0]));
  }
  if (!isAbsent(view.inputs[1]) && view.inputs[1].dims[0] != width / groups) {
    fail(view, "gamma", std::to_string(width / groups) + " elements", dimsText(view.inputs[1]));
  }
}

void checkColumns(const NodeView& view) { checkBlocks(view, view.inputs[0], view.outputs[0]); }

void checkColumnsGradient(const NodeView& view) {
  checkBlocks(view, view.outputs[0], view.inputs[1]);
}

void checkColumnSums(const NodeView& view) {
  const int64_t width = columns(view, "a", view.inputs[0]), groups = view.ints[0];
  if (width % groups != 0 || view.outputs[0].dims[0] != width / groups) {
    fail(view, "output", "one of " + std::to_string(groups) + " equal parts of the columns of a",
         dimsText(view.outputs[0]));
  }
}

void checkRope(const NodeView& view) {
  const int64_t heads = view.ints[0];
  const int64_t width = columns(view, "x", view.inputs[0]);
  const int64_t angles = columns(view, "fine", view.inputs[2]);
  if (width % heads != 0) {
    fail(view, "x", "columns divisible by H = " + std::to_string(heads), dimsText(view.inputs[0]));
  }
  if (angles % 2 != 0 || angles > width / heads) {
    fail(view, "fine", "an even number of columns, at most " + std::to_string(width / heads),
         dimsText(view.inputs[2]));
  }
}

void checkRopeRun(const NodeView& view) {
  const Tensor& positions = view.inputs[1];
  const int32_t* values = static_cast<const int32_t*>(positions.data);
  const int64_t fine = view.inputs[2].dims[0], coarse = view.inputs[3].dims[0];
  const int64_t variants = view.ints[1];
  if (fine == 0 || fine % variants != 0 || coarse % variants != 0) {
    fail(view, "fine, coarse", "rows for each of " + std::to_string(variants) + " variants",
         dimsText(view.inputs[2]));
  }
  const int64_t limit = fine / variants * coarse;
  for (int64_t i = 0; i < positions.dims[0]; ++i) {
    if (values[i] < limit) continue;
    throw Error(ErrorCode::kInput,
                "node %" PRId64 " (%s): positions[%" PRId64 "]: expected less than %" PRId64
                ", the positions of the tables, found %" PRId32,
                view.node, view.kernel, i, limit, values[i]);
  }
}

void checkUnfold(const NodeView& view) {
  const int64_t size = view.ints[0];
  if (size % 2 == 0) fail(view, "W", "an odd number", std::to_string(size));
  const int64_t wanted = columns(view, "x", view.inputs[0]) * size;
  if (columns(view, "output", view.outputs[0]) != wanted) {
    fail(view, "output", std::to_string(wanted) + " columns", dimsText(view.outputs[0]));
  }
}

void checkUnfoldGradient(const NodeView& view) {
  const int64_t size = view.ints[0];
  if (size % 2 == 0) fail(view, "W", "an odd number", std::to_string(size));
  expectFixedColumns(view, "gradient", view.inputs[0],
                     columns(view, "output", view.outputs[0]) * size);
}

void checkDescend(const NodeView& view) { expectFixedColumns(view, "rates", view.inputs[3], 3); }

void checkAdam(const NodeView& view) { expectFixedColumns(view, "rates", view.inputs[1], 3); }

void checkArgmax(const NodeView& view) { expectFixedColumns(view, "y", view.outputs[0], 2); }

void checkLogitBlocks(const NodeView& view) {
  const int64_t width = columns(view, "x", view.inputs[0]);
  // Three numbers of each 128 columns (kernels/logit_blocks.h).
  expectFixedColumns(view, "y", view.outputs[0], width + 3 * (width / 128 + (width % 128 != 0)));
}

namespace {

// Rows or classes from `first` on, inside a fixed number of them.
void expectInside(const NodeView& view, const char* name, int64_t count, int64_t all) {
  const int64_t first = view.ints[0];
  if (count >= 1 && all >= 1 && first <= all && count <= all - first) return;
  fail(view, name, "a fixed range inside " + std::to_string(all),
       std::to_string(count) + " from " + std::to_string(first) + " on");
}

}  // namespace

void checkCrossEntropyPart(const NodeView& view) {
  expectInside(view, "classes", view.inputs[0].dims[1], view.inputs[2].dims[0]);
  const Tensor& parts = view.inputs[4];
  if (!isAbsent(parts)) expectFixedColumns(view, "parts", parts, 4);
  const bool isFirst = view.outputs[0].dims[1] == 4 && isAbsent(parts);
  if (isAbsent(parts) && !isFirst) fail(view, "output", "4 columns", dimsText(view.outputs[0]));
}

void checkCrossEntropyOfParts(const NodeView& view) {
  expectFixedColumns(view, "parts", view.inputs[0], 4);
}

void checkRowRange(const NodeView& view) {
  expectInside(view, "rows", view.outputs[0].dims[0], view.inputs[0].dims[0]);
}

void checkJoinRows(const NodeView& view) {
  const Tensor &a = view.inputs[0], &b = view.inputs[1], &y = view.outputs[0];
  bool fits = a.rank >= 1 && a.rank <= 2 && b.rank == a.rank && y.rank == a.rank;
  fits = fits && a.dims[0] >= 0 && b.dims[0] >= 0 && y.dims[0] == a.dims[0] + b.dims[0];
  if (fits && a.rank == 2) {
    fits = a.dims[1] >= 0 && b.dims[1] == a.dims[1] && y.dims[1] == a.dims[1];
  }
  if (!fits) fail(view, "output", "the rows of a and of b, fixed", dimsText(y));
}

void checkBroadcast(const NodeView& view) {
  const Tensor &a = view.inputs[0], &b = view.inputs[1];
  bool same = a.rank == b.rank;
  for (int i = 0; same && i < a.rank; ++i) same = a.dims[i] == b.dims[i];
  const bool row = a.rank > 0 && b.rank == 1 && b.dims[0] == a.dims[a.rank - 1];
  if (!same && !row) fail(view, "b", "the dims of a " + dimsText(a) + " or its last", dimsText(b));
}

void checkAppend(const NodeView& view) {
  const int64_t rows = view.inputs[0].dims[0], capacity = view.outputs[0].dims[0];
  if (rows > capacity) {
    fail(view, "source", "at most " + std::to_string(capacity) + " rows", dimsText(view.inputs[0]));
  }
}

void checkAppendRun(const NodeView& view) {
  const int64_t at = static_cast<const int32_t*>(view.inputs[1].data)[0];
  const int64_t last = view.outputs[0].dims[0] - view.inputs[0].dims[0];
  if (at <= last) return;
  throw Error(ErrorCode::kInput,
              "node %" PRId64 " (%s): at: expected at most %" PRId64
              ", to leave room for the source, found %" PRId64,
              view.node, view.kernel, last, at);
}

}  // namespace heddle
