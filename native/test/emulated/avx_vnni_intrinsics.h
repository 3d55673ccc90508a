// The one intrinsic of AVX-VNNI that simd/avx2.h uses, element by element, for tests on CPUs that
// lack it.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace heddle::emulated {

static inline __m256i dotBytes(__m256i sum, __m256i x, __m256i w) {
  int32_t sums[8];
  uint8_t left[32];
  int8_t right[32];
  __builtin_memcpy(sums, &sum, sizeof(sum));
  __builtin_memcpy(left, &x, sizeof(x));
  __builtin_memcpy(right, &w, sizeof(w));
  for (int i = 0; i < 32; i++) sums[i / 4] += left[i] * right[i];
  __builtin_memcpy(&sum, sums, sizeof(sum));
  return sum;
}

}  // namespace heddle::emulated

#define _mm256_dpbusd_avx_epi32(sum, x, w) heddle::emulated::dotBytes(sum, x, w)
