// y = f′(x)·gradient, elementwise, for the activations of activation.h. The derivative of relu at 0
// is 0. The error is that of the functions inside, relative to the greatest of the terms that a
// derivative is the sum of.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void activationGradient(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
