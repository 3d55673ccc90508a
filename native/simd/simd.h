// The one vocabulary that kernels are written in. A per-ISA translation unit (kernels/isa/) names
// its namespace and its header before it includes a kernel:
//
//   #define HEDDLE_ISA avx2
//   #define HEDDLE_SIMD "simd/avx2.h"
//
// What each function does is in README.md beside this file; the headers say only what differs.
// Nothing here has external linkage: code compiled for one instruction set must never become the
// linker's copy of code for another.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HEDDLE_INLINE static inline __attribute__((always_inline))

#include HEDDLE_SIMD
