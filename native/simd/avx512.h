// AVX-512 F, BW, DQ and VL: sixteen lanes, thirty-two registers. An ISA that also has VNNI
// defines HEDDLE_VNNI; one that has BF16, HEDDLE_BF16_DOT, and multiplies pairs of bfloat16.
#pragma once

#ifdef HEDDLE_EMULATE_AVX512  // the tests run this code on CPUs without AVX-512
#include "test/emulated/avx512_intrinsics.h"
#else
// GCC 12 sees the deliberately undefined operands inside its own intrinsics (its bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

namespace heddle::HEDDLE_ISA {

using F32 = __m512;
using Mask = __mmask16;

constexpr int kLanes = 16;
constexpr int kTileRows = 6;
constexpr int kTileVectors = 4;
constexpr int kAttentionRows = 6;
constexpr int kAttentionVectors = 4;

HEDDLE_INLINE __mmask16 firstLanes(int n) { return static_cast<__mmask16>((1u << n) - 1); }

HEDDLE_INLINE F32 zero() { return _mm512_setzero_ps(); }
HEDDLE_INLINE F32 broadcast(float x) { return _mm512_set1_ps(x); }
HEDDLE_INLINE F32 iota() {
  return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
HEDDLE_INLINE F32 load(const float* p) { return _mm512_loadu_ps(p); }
HEDDLE_INLINE void store(float* p, F32 x) { _mm512_storeu_ps(p, x); }
HEDDLE_INLINE F32 loadFirst(const float* p, int n) {
  return _mm512_maskz_loadu_ps(firstLanes(n), p);
}
HEDDLE_INLINE void storeFirst(float* p, F32 x, int n) {
  _mm512_mask_storeu_ps(p, firstLanes(n), x);
}

HEDDLE_INLINE F32 add(F32 a, F32 b) { return _mm512_add_ps(a, b); }
HEDDLE_INLINE F32 sub(F32 a, F32 b) { return _mm512_sub_ps(a, b); }
HEDDLE_INLINE F32 mul(F32 a, F32 b) { return _mm512_mul_ps(a, b); }
HEDDLE_INLINE F32 div(F32 a, F32 b) { return _mm512_div_ps(a, b); }
HEDDLE_INLINE F32 min(F32 a, F32 b) { return _mm512_min_ps(a, b); }
HEDDLE_INLINE F32 max(F32 a, F32 b) { return _mm512_max_ps(a, b); }
HEDDLE_INLINE F32 fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
HEDDLE_INLINE F32 fnma(F32 a, F32 b, F32 c) { return _mm512_fnmadd_ps(a, b, c); }
HEDDLE_INLINE F32 neg(F32 x) { return _mm512_xor_ps(x, _mm512_set1_ps(-0.0f)); }
HEDDLE_INLINE F32 abs(F32 x) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), x); }
HEDDLE_INLINE F32 sqrt(F32 x) { return _mm512_sqrt_ps(x); }
HEDDLE_INLINE F32 roundEven(F32 x) {
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
HEDDLE_INLINE F32 scaleByPowerOfTwo(F32 x, F32 n) { return _mm512_scalef_ps(x, n); }
HEDDLE_INLINE F32 powerOfTwo(F32 shifted) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(shifted), 23));
}

HEDDLE_INLINE Mask less(F32 a, F32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
HEDDLE_INLINE Mask lessEqual(F32 a, F32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
HEDDLE_INLINE Mask equal(F32 a, F32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
HEDDLE_INLINE Mask isNan(F32 x) { return _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q); }
HEDDLE_INLINE F32 select(Mask mask, F32 whenTrue, F32 whenFalse) {
  return _mm512_mask_blend_ps(mask, whenFalse, whenTrue);
}

// Halves, quarters, eighths, then neighbours.
HEDDLE_INLINE float sum(F32 x) {
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  const __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  const __m128 eighth = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
  return _mm_cvtss_f32(_mm_add_ss(eighth, _mm_movehdup_ps(eighth)));
}

HEDDLE_INLINE float maximum(F32 x) {
  const __m256 half = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  const __m128 quarter = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  const __m128 eighth = _mm_max_ps(quarter, _mm_movehl_ps(quarter, quarter));
  return _mm_cvtss_f32(_mm_max_ss(eighth, _mm_movehdup_ps(eighth)));
}

HEDDLE_INLINE F32 widenBf16(__m256i bits) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

HEDDLE_INLINE F32 loadBf16(const uint16_t* p) {
  return widenBf16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
HEDDLE_INLINE F32 loadF16(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
HEDDLE_INLINE F32 loadFirstBf16(const uint16_t* p, int n) {
  return widenBf16(_mm256_maskz_loadu_epi16(firstLanes(n), p));
}
HEDDLE_INLINE F32 loadFirstF16(const uint16_t* p, int n) {
  return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(firstLanes(n), p));
}

HEDDLE_INLINE F32 roundToBf16(F32 x) {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
  const F32 kept = select(isNan(x), _mm512_castsi512_ps(quiet), _mm512_castsi512_ps(rounded));
  return _mm512_and_ps(kept, _mm512_castsi512_ps(_mm512_set1_epi32(-0x10000)));
}

using I32 = __m512i;

HEDDLE_INLINE I32 zeroI32() { return _mm512_setzero_si512(); }
HEDDLE_INLINE I32 loadI32(const int32_t* p) { return _mm512_loadu_si512(p); }
HEDDLE_INLINE I32 loadFirstI32(const int32_t* p, int n) {
  return _mm512_maskz_loadu_epi32(firstLanes(n), p);
}
HEDDLE_INLINE void storeI32(int32_t* p, I32 x) { _mm512_storeu_si512(p, x); }
HEDDLE_INLINE I32 subI32(I32 a, I32 b) { return _mm512_sub_epi32(a, b); }
HEDDLE_INLINE I32 broadcastI32(int32_t x) { return _mm512_set1_epi32(x); }
HEDDLE_INLINE I32 mulI32(I32 a, I32 b) { return _mm512_mullo_epi32(a, b); }
HEDDLE_INLINE F32 toFloat(I32 x) { return _mm512_cvtepi32_ps(x); }

HEDDLE_INLINE F32 loadI8(const int8_t* p) {
  return toFloat(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
HEDDLE_INLINE F32 loadFirstI8(const int8_t* p, int n) {
  return toFloat(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(firstLanes(n), p)));
}
HEDDLE_INLINE void storeBytes(uint8_t* p, F32 x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x)));
}
HEDDLE_INLINE void storeFirstBytes(uint8_t* p, F32 x, int n) {
  _mm_mask_storeu_epi8(p, firstLanes(n), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x)));
}

using DotInput = uint8_t;
constexpr int kDotDepth = 4;
constexpr int kDotOffset = 128;
HEDDLE_INLINE __m512i dotWeights(const int8_t* p) { return _mm512_loadu_si512(p); }
#ifdef HEDDLE_VNNI
HEDDLE_INLINE I32 dot(I32 sum, __m512i x, __m512i w) { return _mm512_dpbusd_epi32(sum, x, w); }
#else
// As in avx2.h.
HEDDLE_INLINE I32 dot(I32 sum, __m512i x, __m512i w) {
  const __m512i pairs = _mm512_maddubs_epi16(x, w);
  sum = _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
#ifdef __AVX512F__  // not where it is emulated
  asm volatile("" : "+v"(sum));
#endif
  return sum;
}
#endif
HEDDLE_INLINE __m512i dotInput(const DotInput* p) {
  int32_t group;
  __builtin_memcpy(&group, p, sizeof(group));
  return _mm512_set1_epi32(group);
}

HEDDLE_INLINE __m512i loadNibbles(const uint8_t* p) { return _mm512_loadu_si512(p); }
HEDDLE_INLINE __m512i lowNibbles(__m512i x) { return _mm512_and_si512(x, _mm512_set1_epi8(15)); }
HEDDLE_INLINE __m512i highNibbles(__m512i x) { return lowNibbles(_mm512_srli_epi16(x, 4)); }
HEDDLE_INLINE __m512i blockInput(const int8_t* p) {
  int32_t group;
  __builtin_memcpy(&group, p, sizeof(group));
  return _mm512_set1_epi32(group);
}
using BlockSum = __m512i;
HEDDLE_INLINE BlockSum zeroBlockSum() { return _mm512_setzero_si512(); }
#ifdef HEDDLE_VNNI
HEDDLE_INLINE BlockSum dotBlock(BlockSum sum, __m512i x, __m512i w) {
  return _mm512_dpbusd_epi32(sum, w, x);
}
HEDDLE_INLINE I32 totalOf(BlockSum sum) { return sum; }
#else
// Sixteen products of 15·127 fit 16 bits.
HEDDLE_INLINE BlockSum dotBlock(BlockSum sum, __m512i x, __m512i w) {
  return _mm512_add_epi16(sum, _mm512_maddubs_epi16(w, x));
}
HEDDLE_INLINE I32 totalOf(BlockSum sum) { return _mm512_madd_epi16(sum, _mm512_set1_epi16(1)); }
#endif

// Rows i, i + 4, i + 8 and i + 12 share a register, so that the shuffles within 128 bits finish the
// job.
HEDDLE_INLINE void transposeBlock(const float* source, int64_t sourceStride, float* target,
                                  int64_t targetStride) {
  for (int column = 0; column < kLanes; column += 4) {
    __m512 r[4];
    for (int i = 0; i < 4; i++) {
      const float* p = source + i * sourceStride + column;
      r[i] = _mm512_castps128_ps512(_mm_loadu_ps(p));
      r[i] = _mm512_insertf32x4(r[i], _mm_loadu_ps(p + 4 * sourceStride), 1);
      r[i] = _mm512_insertf32x4(r[i], _mm_loadu_ps(p + 8 * sourceStride), 2);
      r[i] = _mm512_insertf32x4(r[i], _mm_loadu_ps(p + 12 * sourceStride), 3);
    }
    const __m512 a = _mm512_unpacklo_ps(r[0], r[1]);
    const __m512 b = _mm512_unpackhi_ps(r[0], r[1]);
    const __m512 c = _mm512_unpacklo_ps(r[2], r[3]);
    const __m512 d = _mm512_unpackhi_ps(r[2], r[3]);
    float* out = target + column * targetStride;
    store(out, _mm512_shuffle_ps(a, c, 0x44));
    store(out + targetStride, _mm512_shuffle_ps(a, c, 0xee));
    store(out + 2 * targetStride, _mm512_shuffle_ps(b, d, 0x44));
    store(out + 3 * targetStride, _mm512_shuffle_ps(b, d, 0xee));
  }
}

#ifdef HEDDLE_BF16_DOT
HEDDLE_INLINE __m512bh loadBf16Pairs(const uint16_t* p) { return (__m512bh)_mm512_loadu_si512(p); }

HEDDLE_INLINE __m512bh broadcastBf16Pair(const uint16_t* p) {
  int32_t pair;
  __builtin_memcpy(&pair, p, sizeof(pair));
  return (__m512bh)_mm512_set1_epi32(pair);
}

// sum + x₁·w₁ + x₀·w₀ per lane; subnormal operands count as 0.
HEDDLE_INLINE F32 dotBf16(F32 sum, __m512bh x, __m512bh w) { return _mm512_dpbf16_ps(sum, x, w); }

struct Bf16Pairs {
  F32 even, odd;
};

HEDDLE_INLINE Bf16Pairs loadPairs(const uint16_t* p) {
  const __m512i bits = _mm512_loadu_si512(p);
  return {_mm512_castsi512_ps(_mm512_slli_epi32(bits, 16)),
          _mm512_castsi512_ps(_mm512_and_si512(bits, _mm512_set1_epi32(-0x10000)))};
}

// Of registers that already hold bfloat16 values, as are the next.
HEDDLE_INLINE void storePairs(uint16_t* p, Bf16Pairs pairs) {
  const __m512i even = _mm512_srli_epi32(_mm512_castps_si512(pairs.even), 16);
  _mm512_storeu_si512(p, _mm512_or_si512(even, _mm512_castps_si512(pairs.odd)));
}
HEDDLE_INLINE __m256i narrowBf16(F32 x) {
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_castps_si512(x), 16));
}
HEDDLE_INLINE void storeBf16(uint16_t* p, F32 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrowBf16(x));
}
HEDDLE_INLINE void storeFirstBf16(uint16_t* p, F32 x, int n) {
  _mm256_mask_storeu_epi16(p, firstLanes(n), narrowBf16(x));
}
#endif

HEDDLE_INLINE void prefetch(const void* p) { __builtin_prefetch(p); }
HEDDLE_INLINE void prefetchFar(const void* p) { __builtin_prefetch(p, 0, 2); }

}  // namespace heddle::HEDDLE_ISA
