// y = f(x), elementwise; the functions are in activation.h.
#include "kernels/activation.h"

#include "kernels/span.h"

namespace heddle::HEDDLE_ISA {

template <Activation Kind>
static void activateSpans(const Call& call) {
  const float* x = static_cast<const float*>(call.inputs[0].data);
  float* y = static_cast<float*>(call.outputs[0].data);
  forEachSpan(call, countElements(call.outputs[0]), [&](int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) store(y + i, activate<Kind>(load(x + i)));
    const int rest = static_cast<int>(end - i);
    if (rest > 0) storeFirst(y + i, activate<Kind>(loadFirst(x + i, rest)), rest);
  });
}

static void activation(const Call& call, int, int, Scratch) {
  switch (static_cast<Activation>(call.ints[0])) {
    case Activation::kNone:
      return activateSpans<Activation::kNone>(call);
    case Activation::kRelu:
      return activateSpans<Activation::kRelu>(call);
    case Activation::kGelu:
      return activateSpans<Activation::kGelu>(call);
    case Activation::kGeluTanh:
      return activateSpans<Activation::kGeluTanh>(call);
    case Activation::kSilu:
      return activateSpans<Activation::kSilu>(call);
    case Activation::kTanh:
      return activateSpans<Activation::kTanh>(call);
    case Activation::kSigmoid:
      return activateSpans<Activation::kSigmoid>(call);
    case Activation::kQuickGelu:
      return activateSpans<Activation::kQuickGelu>(call);
  }
}

}  // namespace heddle::HEDDLE_ISA
