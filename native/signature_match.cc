// Matches operands against the patterns of a signature: once with dims that may be symbols, when a
// plan is made, and once with numbers, when a run begins.
#include <inttypes.h>

#include "error.h"
#include "signatures.h"

namespace heddle {
namespace {

// What the letters of one node stand for: letter = dim − plus.
class Letters {
 public:
  Letters(const NodeView& view, bool symbolic) : view_(view), symbolic_(symbolic) {}

  void bind(const OperandPattern& pattern, const Tensor& tensor) {
    if (pattern.anyShape) return;
    if (pattern.sameShape) return bindShape(pattern, tensor);
    if (tensor.rank != static_cast<int32_t>(pattern.dims.size())) {
      throw Error(ErrorCode::kShape, "node %" PRId64 " (%s): %s: expected %zu dims, found %s",
                  view_.node, view_.kernel, pattern.name.c_str(), pattern.dims.size(),
                  dimsText(tensor).c_str());
    }
    for (int i = 0; i < tensor.rank; ++i) bindDim(pattern, tensor, i);
  }

  bool undecided() const { return undecided_; }

  int64_t value(int letter) const { return bound_[letter].dim - bound_[letter].plus; }

 private:
  struct Bound {
    const OperandPattern* by = nullptr;
    int64_t dim = 0;
    int plus = 0;
  };

  void bindShape(const OperandPattern& pattern, const Tensor& tensor) {
    if (!shape_) {
      shape_ = &tensor;
      shapeBy_ = &pattern;
      return;
    }
    bool same = tensor.rank == shape_->rank;
    for (int i = 0; same && i < tensor.rank; ++i) same = tensor.dims[i] == shape_->dims[i];
    if (same) return;
    throw Error(ErrorCode::kShape, "node %" PRId64 " (%s): %s: expected %s as %s, found %s",
                view_.node, view_.kernel, pattern.name.c_str(), dimsText(*shape_).c_str(),
                shapeBy_->name.c_str(), dimsText(tensor).c_str());
  }

  void bindDim(const OperandPattern& pattern, const Tensor& tensor, int i) {
    const DimPattern& want = pattern.dims[static_cast<size_t>(i)];
    const int64_t dim = tensor.dims[i];
    const bool known = !symbolic_ || dim >= 0;
    if (want.letter < 0) {
      if (dim != 1) fail(pattern, tensor, i, "1");
      return;
    }
    if (want.plus > 0) {
      if (!known)
        undecided_ = true;
      else if (dim < want.plus)
        fail(pattern, tensor, i, "at least 1");
    }
    Bound& bound = bound_[want.letter];
    if (!bound.by) {
      bound = {&pattern, dim, want.plus};
      return;
    }
    if (dim == bound.dim && want.plus == bound.plus) return;
    if (known && (!symbolic_ || bound.dim >= 0)) {
      if (dim - want.plus == bound.dim - bound.plus) return;
    } else if (want.plus != bound.plus) {
      undecided_ = true;  // S against S+1, of different symbols: a run tells
      return;
    }
    Tensor expected = {nullptr, tensor.dtype, 1, {bound.dim}};
    std::string text = dimsText(expected).substr(1);
    text.pop_back();
    if (want.plus != bound.plus) text += want.plus > bound.plus ? " + 1" : " - 1";
    fail(pattern, tensor, i, (text + " as in " + bound.by->name).c_str());
  }

  [[noreturn]] void fail(const OperandPattern& pattern, const Tensor& tensor, int i,
                         const char* expected) const {
    throw Error(ErrorCode::kShape, "node %" PRId64 " (%s): %s: expected dim %d to be %s, found %s",
                view_.node, view_.kernel, pattern.name.c_str(), i, expected,
                dimsText(tensor).c_str());
  }

  const NodeView& view_;
  const bool symbolic_;
  bool undecided_ = false;
  Bound bound_[26];
  const Tensor* shape_ = nullptr;
  const OperandPattern* shapeBy_ = nullptr;
};

void bindAll(Letters* letters, const NodeView& view) {
  const Signature& signature = *view.signature;
  for (size_t i = 0; i < signature.inputs.size(); ++i) {
    const Tensor& tensor = view.inputs[i];
    if (tensor.rank >= 0) letters->bind(signature.inputs[i], tensor);
  }
  for (size_t i = 0; i < signature.outputs.size(); ++i) {
    const Tensor& tensor = view.outputs[i];
    if (tensor.rank >= 0) letters->bind(signature.outputs[i], tensor);
  }
}

void checkIndex(const NodeView& view, const OperandPattern& pattern, const Tensor& tensor,
                int64_t bound) {
  const int32_t* values = static_cast<const int32_t*>(tensor.data);
  for (int64_t i = 0; i < tensor.dims[0]; ++i) {
    if (values[i] >= 0 && values[i] < bound) continue;
    throw Error(ErrorCode::kInput,
                "node %" PRId64 " (%s): %s[%" PRId64 "]: expected 0 <= value < %" PRId64
                ", found %" PRId32,
                view.node, view.kernel, pattern.name.c_str(), i, bound, values[i]);
  }
}

void checkOffsets(const NodeView& view, const OperandPattern& pattern, const Tensor& tensor,
                  int64_t end) {
  const int32_t* values = static_cast<const int32_t*>(tensor.data);
  const int64_t count = tensor.dims[0];  // at least 1: its pattern is S+1
  auto fail = [&](int64_t i, const char* relation, int64_t expected) {
    throw Error(ErrorCode::kInput,
                "node %" PRId64 " (%s): %s[%" PRId64 "]: expected %s %" PRId64 ", found %" PRId32,
                view.node, view.kernel, pattern.name.c_str(), i, relation, expected, values[i]);
  };
  if (values[0] != 0) fail(0, "to begin with", 0);
  for (int64_t i = 1; i < count; ++i) {
    if (values[i] < values[i - 1]) fail(i, "at least", values[i - 1]);
  }
  if (values[count - 1] != end) fail(count - 1, "to end with", end);
}

}  // namespace

bool checkShapes(const NodeView& view) {
  Letters letters(view, true);
  bindAll(&letters, view);
  if (view.signature->onCreate) view.signature->onCreate(view);
  bool values = view.signature->onRun != nullptr;
  for (const OperandPattern& pattern : view.signature->inputs) {
    values |= pattern.type == OperandType::kIndex || pattern.type == OperandType::kOffsets;
  }
  return values || letters.undecided();
}

void checkAtRun(const NodeView& view) {
  Letters letters(view, false);
  bindAll(&letters, view);
  const std::vector<OperandPattern>& patterns = view.signature->inputs;
  for (size_t i = 0; i < patterns.size(); ++i) {
    const OperandPattern& pattern = patterns[i];
    const Tensor& tensor = view.inputs[i];
    if (tensor.rank < 0) continue;
    const int64_t bound =
        pattern.boundLetter >= 0 ? letters.value(pattern.boundLetter) : pattern.bound;
    if (pattern.type == OperandType::kIndex) checkIndex(view, pattern, tensor, bound);
    if (pattern.type == OperandType::kOffsets) checkOffsets(view, pattern, tensor, bound);
  }
  if (view.signature->onRun) view.signature->onRun(view);
}

[[noreturn]] void fail(const NodeView& view, const char* what, const std::string& expected,
                       const std::string& found) {
  throw Error(ErrorCode::kShape, "node %" PRId64 " (%s): %s: expected %s, found %s", view.node,
              view.kernel, what, expected.c_str(), found.c_str());
}

void expectColumns(const NodeView& view, const char* name, const Tensor& tensor, int64_t expected) {
  if (tensor.dims[tensor.rank - 1] == expected) return;
  fail(view, name, std::to_string(expected) + " columns", dimsText(tensor));
}

std::string dimsText(const Tensor& tensor) {
  std::string text = "[";
  for (int i = 0; i < tensor.rank; ++i) {
    if (i > 0) text += ", ";
    const int64_t dim = tensor.dims[i];
    text += dim >= 0 ? std::to_string(dim) : "s" + std::to_string(-1 - dim);
  }
  return text + "]";
}

}  // namespace heddle
