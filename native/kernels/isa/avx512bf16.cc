// As avx512vnni, and -mavx512bf16: every CPU that has the one has the other.
#define HEDDLE_ISA avx512bf16
#define HEDDLE_SIMD "simd/avx512.h"
#define HEDDLE_VNNI      // int8 weights are packed in groups of four, for vpdpbusd
#define HEDDLE_BF16_DOT  // bfloat16 weights are packed in pairs, for vdpbf16ps
#include "kernels/table.inc"
