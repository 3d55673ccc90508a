#include "paged_checks.h"

#include <inttypes.h>

#include "error.h"
#include "kernels/page_size.h"

namespace heddle {
namespace {

[[noreturn]] void failValue(const NodeView& view, const char* what, int64_t at,
                            const char* relation, int64_t expected, int64_t found) {
  throw Error(ErrorCode::kInput,
              "node %" PRId64 " (%s): %s[%" PRId64 "]: expected %s %" PRId64 ", found %" PRId64,
              view.node, view.kernel, what, at, relation, expected, found);
}

const int32_t* valuesOf(const Tensor& tensor) { return static_cast<const int32_t*>(tensor.data); }

// A whole number of pages of `heads` heads.
void checkPages(const NodeView& view, const char* name, const Tensor& pages, int64_t heads) {
  if (pages.dtype == DType::kFloat16) fail(view, name, "float32, bfloat16 or int8", "float16");
  if (pages.dims[0] < 1 || pages.dims[1] < 1 || pages.dims[0] % (heads * kPagePositions) != 0) {
    fail(view, name, "[pages x " + std::to_string(heads) + " heads x 64, size]", dimsText(pages));
  }
}

void checkBelow(const NodeView& view, const char* name, const Tensor& tensor, int64_t bound) {
  for (int64_t i = 0; i < tensor.dims[0]; ++i) {
    const int64_t value = valuesOf(tensor)[i];
    if (value >= bound) failValue(view, name, i, "less than", bound, value);
  }
}

}  // namespace

void checkAppendPages(const NodeView& view) {
  const int64_t heads = view.ints[0];
  checkPages(view, "pages", view.outputs[0], heads);
  expectColumns(view, "source", view.inputs[0], heads * view.outputs[0].dims[1]);
}

void checkCopyPages(const NodeView& view) {
  checkPages(view, "pages", view.outputs[0], view.ints[0]);
}

void checkReadPages(const NodeView& view) {
  checkPages(view, "pages", view.inputs[0], view.ints[0]);
  expectColumns(view, "output", view.outputs[0], view.ints[0] * view.inputs[0].dims[1]);
}

void checkPagedAttention(const NodeView& view) {
  const int64_t heads = view.ints[0], keyHeads = view.ints[1];
  if (heads % keyHeads != 0) {
    fail(view, "G", "a divisor of H = " + std::to_string(heads), std::to_string(keyHeads));
  }
  const Tensor &keys = view.inputs[1], &values = view.inputs[2], &bias = view.inputs[8];
  checkPages(view, "keys", keys, keyHeads);
  checkPages(view, "values", values, keyHeads);
  expectColumns(view, "q", view.inputs[0], heads * keys.dims[1]);
  expectColumns(view, "output", view.outputs[0], heads * (values.dims[1] + 2));
  if (bias.rank < 0) return;
  if (bias.rank != 3 || bias.dims[0] != heads || bias.dims[1] != 1 || bias.dims[2] < 1) {
    fail(view, "bias", "[H, 1, positions]", dimsText(bias));
  }
}

void checkJoinParts(const NodeView& view) {
  const int64_t heads = view.ints[0], columns = view.outputs[0].dims[1];
  if (columns < 1 || columns % heads != 0) {
    fail(view, "output", "columns divisible by H = " + std::to_string(heads),
         dimsText(view.outputs[0]));
  }
  expectColumns(view, "parts", view.inputs[0], columns + 2 * heads);
}

void checkAppendPagesRun(const NodeView& view) {
  checkBelow(view, "slots", view.inputs[1], view.outputs[0].dims[0] / view.ints[0]);
}

void checkCopyPagesRun(const NodeView& view) {
  const int64_t pages = view.outputs[0].dims[0] / (view.ints[0] * kPagePositions);
  checkBelow(view, "from", view.inputs[0], pages);
  checkBelow(view, "to", view.inputs[1], pages);
}

void checkReadPagesRun(const NodeView& view) {
  checkBelow(view, "slots", view.inputs[1], view.inputs[0].dims[0] / view.ints[0]);
}

void checkPagedAttentionRun(const NodeView& view) {
  const Tensor &segments = view.inputs[3], &bias = view.inputs[8];
  checkBelow(view, "tables", view.inputs[6],
             view.inputs[1].dims[0] / (view.ints[1] * kPagePositions));
  const int32_t* offsets = valuesOf(segments);
  const int32_t* lengths = valuesOf(view.inputs[4]);
  const int32_t* tables = valuesOf(view.inputs[5]);
  const int32_t* parts = valuesOf(view.inputs[7]);
  for (int64_t s = 0; s + 1 < segments.dims[0]; ++s) {
    const int64_t rows = offsets[s + 1] - offsets[s];
    const int64_t room = int64_t{tables[s + 1] - tables[s]} * kPagePositions;
    if (lengths[s] < rows) failValue(view, "lengths", s, "at least its rows,", rows, lengths[s]);
    if (lengths[s] > room)
      failValue(view, "lengths", s, "at most its pages' room,", room, lengths[s]);
    if (bias.rank >= 0 && lengths[s] > bias.dims[2]) {
      failValue(view, "lengths", s, "at most the positions of the bias,", bias.dims[2], lengths[s]);
    }
    for (int64_t r = offsets[s]; r < offsets[s + 1]; ++r) {
      const int64_t own = parts[r + 1] - parts[r];
      const int64_t wanted = parts[offsets[s] + 1] - parts[offsets[s]];
      if (own < 1 || own != wanted) {
        failValue(view, "partOffsets", r + 1,
                  "as many parts as the segment's first row, at least 1:", wanted, own);
      }
    }
  }
}

}  // namespace heddle
