// What the rules of kernels share, beside signatures.h.
#pragma once

#include <string>

#include "signatures.h"

namespace heddle {

inline bool isAbsent(const Tensor& tensor) { return tensor.rank < 0; }

// A dim that has to be a number in the plan: heads are cut out of it.
inline int64_t columns(const NodeView& view, const char* name, const Tensor& tensor) {
  const int64_t dim = tensor.dims[tensor.rank - 1];
  if (dim < 1) fail(view, name, "a constant number of columns, at least 1", dimsText(tensor));
  return dim;
}

inline void expectFixedColumns(const NodeView& view, const char* name, const Tensor& tensor,
                               int64_t expected) {
  columns(view, name, tensor);
  expectColumns(view, name, tensor, expected);
}

}  // namespace heddle
