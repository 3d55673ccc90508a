// The AVX-512 intrinsics of simd/avx512.h on any x86-64 CPU, by way of SIMDe (Debian's
// libsimde-dev), so that the AVX-512 kernels are tested where no such CPU is at hand. Compile with
// -mavx2 -mfma -mf16c -Wno-psabi.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-variable"
#include <simde/x86/avx512.h>
#pragma GCC diagnostic pop

// What SIMDe 0.7 lacks or gets wrong, element by element.
namespace heddle::emulated {

template <class Vector, class Element, class Mask>
static inline Vector loadMasked(Mask mask, const void* from) {
  constexpr int kCount = sizeof(Vector) / sizeof(Element);
  Element lanes[kCount] = {};
  const Element* elements = static_cast<const Element*>(from);
  for (int i = 0; i < kCount; i++) {
    if (mask >> i & 1) lanes[i] = elements[i];
  }
  Vector result;
  __builtin_memcpy(&result, lanes, sizeof(result));
  return result;
}

template <class Element, class Vector, class Mask>
static inline void storeMasked(void* to, Mask mask, Vector value) {
  constexpr int kCount = sizeof(Vector) / sizeof(Element);
  Element lanes[kCount];
  __builtin_memcpy(lanes, &value, sizeof(value));
  for (int i = 0; i < kCount; i++) {
    if (mask >> i & 1) static_cast<Element*>(to)[i] = lanes[i];
  }
}

template <class To, class From, class ToVector, class FromVector>
static inline ToVector convertLanes(FromVector from) {
  constexpr int kCount = sizeof(FromVector) / sizeof(From);
  static_assert(sizeof(ToVector) == kCount * sizeof(To));
  From lanes[kCount];
  To converted[kCount];
  __builtin_memcpy(lanes, &from, sizeof(from));
  for (int i = 0; i < kCount; i++) converted[i] = static_cast<To>(lanes[i]);
  ToVector result;
  __builtin_memcpy(&result, converted, sizeof(result));
  return result;
}

// SIMDe's own forms 2ⁿ first, which overflows where x·2ⁿ does not.
static inline simde__m512 scale(simde__m512 x, simde__m512 n) {
  float values[16], powers[16];
  __builtin_memcpy(values, &x, sizeof(x));
  __builtin_memcpy(powers, &n, sizeof(n));
  for (int i = 0; i < 16; i++) {
    const bool finite = powers[i] > -1e6f && powers[i] < 1e6f;
    values[i] = finite ? __builtin_ldexpf(values[i], static_cast<int>(__builtin_floorf(powers[i])))
                       : values[i] * __builtin_exp2f(powers[i]);
  }
  __builtin_memcpy(&x, values, sizeof(x));
  return x;
}

static inline simde__m512i roundLanes(simde__m512 from) {
  float lanes[16];
  int32_t rounded[16];
  __builtin_memcpy(lanes, &from, sizeof(from));
  for (int i = 0; i < 16; i++) rounded[i] = static_cast<int32_t>(__builtin_nearbyintf(lanes[i]));
  simde__m512i result;
  __builtin_memcpy(&result, rounded, sizeof(result));
  return result;
}

static inline simde__m512i dotPairs(simde__m512i x, simde__m512i w) {
  int16_t left[32], right[32];
  int32_t sums[16];
  __builtin_memcpy(left, &x, sizeof(x));
  __builtin_memcpy(right, &w, sizeof(w));
  for (int i = 0; i < 16; i++) {
    sums[i] = left[2 * i] * right[2 * i] + left[2 * i + 1] * right[2 * i + 1];
  }
  simde__m512i result;
  __builtin_memcpy(&result, sums, sizeof(result));
  return result;
}

static inline simde__m512i dotBytePairs(simde__m512i w, simde__m512i x) {
  uint8_t left[64];
  int8_t right[64];
  int16_t sums[32];
  __builtin_memcpy(left, &w, sizeof(w));
  __builtin_memcpy(right, &x, sizeof(x));
  for (int i = 0; i < 32; i++) {
    sums[i] = static_cast<int16_t>(left[2 * i] * right[2 * i] + left[2 * i + 1] * right[2 * i + 1]);
  }
  simde__m512i result;
  __builtin_memcpy(&result, sums, sizeof(result));
  return result;
}

static inline __m256 half(simde__m512 x, int which) {
  __m256 halves[2];
  __builtin_memcpy(halves, &x, sizeof(x));
  return halves[which];
}

static inline simde__m512 widenHalves(__m256i halves) {
  const __m256 parts[2] = {_mm256_cvtph_ps(_mm256_castsi256_si128(halves)),
                           _mm256_cvtph_ps(_mm256_extracti128_si256(halves, 1))};
  simde__m512 result;
  __builtin_memcpy(&result, parts, sizeof(result));
  return result;
}

}  // namespace heddle::emulated

#define _mm512_maskz_loadu_ps(mask, p) (heddle::emulated::loadMasked<simde__m512, float>(mask, p))
#define _mm512_maskz_loadu_epi32(mask, p) \
  (heddle::emulated::loadMasked<simde__m512i, int32_t>(mask, p))
#define _mm256_maskz_loadu_epi16(mask, p) (heddle::emulated::loadMasked<__m256i, uint16_t>(mask, p))
#define _mm512_mask_storeu_ps(p, mask, x) (heddle::emulated::storeMasked<float>(p, mask, x))
#define _mm256_mask_storeu_epi16(p, mask, x) (heddle::emulated::storeMasked<uint16_t>(p, mask, x))
#undef _mm512_scalef_ps
#define _mm512_scalef_ps(x, n) heddle::emulated::scale(x, n)
#define _mm512_extractf32x8_ps(x, which) heddle::emulated::half(x, which)
#define _mm512_cvtph_ps(x) heddle::emulated::widenHalves(x)
#define _mm512_cvtepu16_epi32(x) \
  (heddle::emulated::convertLanes<uint32_t, uint16_t, simde__m512i, __m256i>(x))
#undef _mm512_cvtepi8_epi32
#define _mm512_cvtepi8_epi32(x) \
  (heddle::emulated::convertLanes<int32_t, int8_t, simde__m512i, __m128i>(x))
#undef _mm512_cvtepi8_epi16
#define _mm512_cvtepi8_epi16(x) \
  (heddle::emulated::convertLanes<int16_t, int8_t, simde__m512i, __m256i>(x))
#undef _mm512_cvtepi32_epi8
#define _mm512_cvtepi32_epi8(x) \
  (heddle::emulated::convertLanes<uint8_t, uint32_t, __m128i, simde__m512i>(x))
#undef _mm512_cvtps_epi32
#define _mm512_cvtps_epi32(x) heddle::emulated::roundLanes(x)
#undef _mm512_madd_epi16
#define _mm512_madd_epi16(x, w) heddle::emulated::dotPairs(x, w)
#undef _mm512_maddubs_epi16
#define _mm512_maddubs_epi16(w, x) heddle::emulated::dotBytePairs(w, x)
#define _mm_maskz_loadu_epi8(mask, p) (heddle::emulated::loadMasked<__m128i, uint8_t>(mask, p))
#define _mm_mask_storeu_epi8(p, mask, x) (heddle::emulated::storeMasked<uint8_t>(p, mask, x))
#define _mm512_cvtepi32_epi16(x) \
  (heddle::emulated::convertLanes<uint16_t, uint32_t, __m256i, simde__m512i>(x))
#define _mm512_cvtepi32_ps(x) \
  (heddle::emulated::convertLanes<float, int32_t, simde__m512, simde__m512i>(x))
