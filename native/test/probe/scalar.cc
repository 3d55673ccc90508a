// Compiled as kernels/isa/scalar.cc.
#define HEDDLE_ISA scalar
#define HEDDLE_SIMD "simd/scalar.h"
#include "test/probe/probe.inc"
