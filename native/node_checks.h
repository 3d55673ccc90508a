// What the rules of kernels share.
#pragma once

#include <inttypes.h>

#include <string>

#include "error.h"
#include "signatures.h"

namespace heddle {

inline bool isAbsent(const Tensor& tensor) { return tensor.rank < 0; }

[[noreturn]] inline void fail(const NodeView& view, const char* what, const std::string& expected,
                              const std::string& found) {
  throw Error(ErrorCode::kShape, "node %" PRId64 " (%s): %s: expected %s, found %s", view.node,
              view.kernel, what, expected.c_str(), found.c_str());
}

// A dim that has to be a number in the plan: heads are cut out of it.
inline int64_t columns(const NodeView& view, const char* name, const Tensor& tensor) {
  const int64_t dim = tensor.dims[tensor.rank - 1];
  if (dim < 1) fail(view, name, "a constant number of columns, at least 1", dimsText(tensor));
  return dim;
}

inline void expectColumns(const NodeView& view, const char* name, const Tensor& tensor,
                          int64_t expected) {
  if (columns(view, name, tensor) == expected) return;
  fail(view, name, std::to_string(expected) + " columns", dimsText(tensor));
}

}  // namespace heddle
