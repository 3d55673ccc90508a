// AVX2 with FMA and F16C: eight lanes, sixteen registers. An ISA that also has AVX-VNNI defines
// HEDDLE_VNNI.
#pragma once

#include <immintrin.h>
#ifdef HEDDLE_EMULATE_AVX512  // the tests run the code of other CPUs
#include "test/emulated/avx_vnni_intrinsics.h"
#endif

namespace heddle::HEDDLE_ISA {

using F32 = __m256;
using Mask = __m256;  // a lane is all ones or all zeros

constexpr int kLanes = 8;
constexpr int kTileRows = 4;
constexpr int kTileVectors = 3;
constexpr int kAttentionRows = 6;
constexpr int kAttentionVectors = 2;

HEDDLE_INLINE __m256i firstLanes(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

HEDDLE_INLINE F32 zero() { return _mm256_setzero_ps(); }
HEDDLE_INLINE F32 broadcast(float x) { return _mm256_set1_ps(x); }
HEDDLE_INLINE F32 iota() { return _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7); }
HEDDLE_INLINE F32 load(const float* p) { return _mm256_loadu_ps(p); }
HEDDLE_INLINE void store(float* p, F32 x) { _mm256_storeu_ps(p, x); }
HEDDLE_INLINE F32 loadFirst(const float* p, int n) { return _mm256_maskload_ps(p, firstLanes(n)); }
HEDDLE_INLINE void storeFirst(float* p, F32 x, int n) { _mm256_maskstore_ps(p, firstLanes(n), x); }

HEDDLE_INLINE F32 add(F32 a, F32 b) { return _mm256_add_ps(a, b); }
HEDDLE_INLINE F32 sub(F32 a, F32 b) { return _mm256_sub_ps(a, b); }
HEDDLE_INLINE F32 mul(F32 a, F32 b) { return _mm256_mul_ps(a, b); }
HEDDLE_INLINE F32 div(F32 a, F32 b) { return _mm256_div_ps(a, b); }
HEDDLE_INLINE F32 min(F32 a, F32 b) { return _mm256_min_ps(a, b); }
HEDDLE_INLINE F32 max(F32 a, F32 b) { return _mm256_max_ps(a, b); }
HEDDLE_INLINE F32 fma(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
HEDDLE_INLINE F32 fnma(F32 a, F32 b, F32 c) { return _mm256_fnmadd_ps(a, b, c); }
HEDDLE_INLINE F32 neg(F32 x) { return _mm256_xor_ps(x, _mm256_set1_ps(-0.0f)); }
HEDDLE_INLINE F32 abs(F32 x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
HEDDLE_INLINE F32 sqrt(F32 x) { return _mm256_sqrt_ps(x); }
HEDDLE_INLINE F32 roundEven(F32 x) {
  return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

HEDDLE_INLINE F32 scaleByPowerOfTwo(F32 x, F32 n) {
  const __m256 bounded = min(max(n, broadcast(-252.0f)), broadcast(254.0f));
  const __m256i whole = _mm256_cvtps_epi32(bounded);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const __m256i rest = _mm256_sub_epi32(whole, half);
  const __m256i bias = _mm256_set1_epi32(127);
  const __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  const __m256i second = _mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23);
  return mul(mul(x, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second));
}

HEDDLE_INLINE F32 powerOfTwo(F32 shifted) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(shifted), 23));
}

HEDDLE_INLINE Mask less(F32 a, F32 b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
HEDDLE_INLINE Mask lessEqual(F32 a, F32 b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
HEDDLE_INLINE Mask equal(F32 a, F32 b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
HEDDLE_INLINE Mask isNan(F32 x) { return _mm256_cmp_ps(x, x, _CMP_UNORD_Q); }
HEDDLE_INLINE F32 select(Mask mask, F32 whenTrue, F32 whenFalse) {
  return _mm256_blendv_ps(whenFalse, whenTrue, mask);
}

// Halves, then quarters, then neighbours.
HEDDLE_INLINE float sum(F32 x) {
  const __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)));
}

HEDDLE_INLINE float maximum(F32 x) {
  const __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 quarter = _mm_max_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_max_ss(quarter, _mm_movehdup_ps(quarter)));
}

// There is no masked load of 16-bit elements.
HEDDLE_INLINE __m128i loadFirst16(const uint16_t* p, int n) {
  alignas(16) uint16_t lanes[8] = {};
  for (int i = 0; i < n; i++) lanes[i] = p[i];
  return _mm_load_si128(reinterpret_cast<const __m128i*>(lanes));
}

HEDDLE_INLINE F32 widenBf16(__m128i bits) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

HEDDLE_INLINE F32 loadBf16(const uint16_t* p) {
  return widenBf16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
HEDDLE_INLINE F32 loadF16(const uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
HEDDLE_INLINE F32 loadFirstBf16(const uint16_t* p, int n) { return widenBf16(loadFirst16(p, n)); }
HEDDLE_INLINE F32 loadFirstF16(const uint16_t* p, int n) {
  return _mm256_cvtph_ps(loadFirst16(p, n));
}

HEDDLE_INLINE F32 roundToBf16(F32 x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const F32 kept = select(isNan(x), _mm256_castsi256_ps(quiet), _mm256_castsi256_ps(rounded));
  return _mm256_and_ps(kept, _mm256_castsi256_ps(_mm256_set1_epi32(-0x10000)));
}

using I32 = __m256i;

HEDDLE_INLINE I32 zeroI32() { return _mm256_setzero_si256(); }
HEDDLE_INLINE I32 loadI32(const int32_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
HEDDLE_INLINE I32 loadFirstI32(const int32_t* p, int n) {
  return _mm256_maskload_epi32(reinterpret_cast<const int*>(p), firstLanes(n));
}
HEDDLE_INLINE void storeI32(int32_t* p, I32 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x);
}
HEDDLE_INLINE I32 subI32(I32 a, I32 b) { return _mm256_sub_epi32(a, b); }
HEDDLE_INLINE I32 broadcastI32(int32_t x) { return _mm256_set1_epi32(x); }
HEDDLE_INLINE I32 mulI32(I32 a, I32 b) { return _mm256_mullo_epi32(a, b); }
HEDDLE_INLINE F32 toFloat(I32 x) { return _mm256_cvtepi32_ps(x); }

HEDDLE_INLINE F32 widenI8(__m128i bytes) { return toFloat(_mm256_cvtepi8_epi32(bytes)); }
HEDDLE_INLINE F32 loadI8(const int8_t* p) {
  return widenI8(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
HEDDLE_INLINE F32 loadFirstI8(const int8_t* p, int n) {
  alignas(16) int8_t lanes[16] = {};
  for (int i = 0; i < n; i++) lanes[i] = p[i];
  return widenI8(_mm_load_si128(reinterpret_cast<const __m128i*>(lanes)));
}

HEDDLE_INLINE __m128i narrowToBytes(F32 x) {
  const __m256i low = _mm256_and_si256(_mm256_cvtps_epi32(x), _mm256_set1_epi32(0xff));
  const __m128i words =
      _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
  return _mm_packus_epi16(words, words);
}
HEDDLE_INLINE void storeBytes(uint8_t* p, F32 x) {
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), narrowToBytes(x));
}
HEDDLE_INLINE void storeFirstBytes(uint8_t* p, F32 x, int n) {
  alignas(16) uint8_t lanes[16];
  _mm_store_si128(reinterpret_cast<__m128i*>(lanes), narrowToBytes(x));
  for (int i = 0; i < n; i++) p[i] = lanes[i];
}

using DotInput = uint8_t;
constexpr int kDotDepth = 4;
constexpr int kDotOffset = 128;
HEDDLE_INLINE __m256i dotWeights(const int8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
#ifdef HEDDLE_VNNI
HEDDLE_INLINE I32 dot(I32 sum, __m256i x, __m256i w) { return _mm256_dpbusd_avx_epi32(sum, x, w); }
#else
// Sums of two products saturate at 16 bits, which weights are too small for (kInt8PairLimit).
HEDDLE_INLINE I32 dot(I32 sum, __m256i x, __m256i w) {
  alignas(32) static constexpr int16_t kOnes[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  __m256i pairs = _mm256_maddubs_epi16(x, w);
  // From memory, for a tile has no register left to keep them in.
  asm("vpmaddwd %1, %0, %0" : "+x"(pairs) : "m"(kOnes));
  sum = _mm256_add_epi32(sum, pairs);
  // Compilers would make the products of a whole strip first, and keep those in memory.
  asm volatile("" : "+x"(sum));
  return sum;
}
#endif
HEDDLE_INLINE __m256i dotInput(const DotInput* p) {
  int32_t group;
  __builtin_memcpy(&group, p, sizeof(group));
  return _mm256_set1_epi32(group);
}

HEDDLE_INLINE __m256i loadNibbles(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
HEDDLE_INLINE __m256i lowNibbles(__m256i x) { return _mm256_and_si256(x, _mm256_set1_epi8(15)); }
HEDDLE_INLINE __m256i highNibbles(__m256i x) { return lowNibbles(_mm256_srli_epi16(x, 4)); }
HEDDLE_INLINE __m256i blockInput(const int8_t* p) {
  int32_t group;
  __builtin_memcpy(&group, p, sizeof(group));
  return _mm256_set1_epi32(group);
}
using BlockSum = __m256i;
HEDDLE_INLINE BlockSum zeroBlockSum() { return _mm256_setzero_si256(); }
#ifdef HEDDLE_VNNI
HEDDLE_INLINE BlockSum dotBlock(BlockSum sum, __m256i x, __m256i w) {
  return _mm256_dpbusd_avx_epi32(sum, w, x);
}
HEDDLE_INLINE I32 totalOf(BlockSum sum) { return sum; }
#else
// Sixteen products of 15·127 fit 16 bits.
HEDDLE_INLINE BlockSum dotBlock(BlockSum sum, __m256i x, __m256i w) {
  return _mm256_add_epi16(sum, _mm256_maddubs_epi16(w, x));
}
HEDDLE_INLINE I32 totalOf(BlockSum sum) { return _mm256_madd_epi16(sum, _mm256_set1_epi16(1)); }
#endif

// Rows i and i + 4 share a register, so that the shuffles within 128 bits finish the job.
HEDDLE_INLINE void transposeBlock(const float* source, int64_t sourceStride, float* target,
                                  int64_t targetStride) {
  for (int column = 0; column < kLanes; column += 4) {
    __m256 r[4];
    for (int i = 0; i < 4; i++) {
      const float* p = source + i * sourceStride + column;
      r[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)),
                                  _mm_loadu_ps(p + 4 * sourceStride), 1);
    }
    const __m256 a = _mm256_unpacklo_ps(r[0], r[1]);
    const __m256 b = _mm256_unpackhi_ps(r[0], r[1]);
    const __m256 c = _mm256_unpacklo_ps(r[2], r[3]);
    const __m256 d = _mm256_unpackhi_ps(r[2], r[3]);
    float* out = target + column * targetStride;
    store(out, _mm256_shuffle_ps(a, c, 0x44));
    store(out + targetStride, _mm256_shuffle_ps(a, c, 0xee));
    store(out + 2 * targetStride, _mm256_shuffle_ps(b, d, 0x44));
    store(out + 3 * targetStride, _mm256_shuffle_ps(b, d, 0xee));
  }
}

HEDDLE_INLINE void prefetch(const void* p) { __builtin_prefetch(p); }
HEDDLE_INLINE void prefetchFar(const void* p) { __builtin_prefetch(p, 0, 2); }

}  // namespace heddle::HEDDLE_ISA
