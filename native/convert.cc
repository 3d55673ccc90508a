#include "convert.h"

#include <math.h>
#include <string.h>

namespace heddle {
namespace {

template <typename T>
T readAs(const char* p) {
  T value;
  memcpy(&value, p, sizeof value);
  return value;
}

// A number in parts: (−1)^sign · significand · 2^exponent, or an infinity, or NaN.
struct Parts {
  bool sign, infinite, nan;
  uint64_t significand;
  int exponent;
};

template <typename Bits>
Parts partsOfFloat(Bits bits, int exponentBits, int fractionBits) {
  Parts parts = {};
  parts.sign = (bits >> (exponentBits + fractionBits) & 1) != 0;
  const int largest = (1 << exponentBits) - 1, bias = largest >> 1;
  const int exponent = static_cast<int>(bits >> fractionBits) & largest;
  parts.significand = bits & ((uint64_t{1} << fractionBits) - 1);
  if (exponent == largest) {
    parts.infinite = parts.significand == 0;
    parts.nan = !parts.infinite;
  }
  if (exponent != 0) parts.significand |= uint64_t{1} << fractionBits;
  parts.exponent = (exponent != 0 ? exponent : 1) - bias - fractionBits;
  return parts;
}

Parts partsOfInteger(int64_t value) {
  const uint64_t magnitude =
      value < 0 ? ~static_cast<uint64_t>(value) + 1 : static_cast<uint64_t>(value);
  return {value < 0, false, false, magnitude, 0};
}

// n / 2^shift to the nearest, ties to even.
uint64_t shiftRight(uint64_t n, int shift) {
  if (shift <= 0) return n << -shift;
  if (shift > 64) return 0;
  const uint64_t half = uint64_t{1} << (shift - 1);
  const uint64_t kept = shift == 64 ? 0 : n >> shift;
  const uint64_t rest = shift == 64 ? n : n & ((half << 1) - 1);
  return kept + (rest > half || (rest == half && (kept & 1)));
}

// The nearest number of the format, as its bits.
uint32_t pack(const Parts& parts, int exponentBits, int fractionBits) {
  const int largest = (1 << exponentBits) - 1, bias = largest >> 1;
  const uint32_t sign = static_cast<uint32_t>(parts.sign) << (exponentBits + fractionBits);
  const uint32_t infinity = static_cast<uint32_t>(largest) << fractionBits;
  if (parts.nan) return sign | infinity | 1u << (fractionBits - 1);
  if (parts.infinite) return sign | infinity;
  if (parts.significand == 0) return sign;
  int top = 63;
  while (!(parts.significand >> top & 1)) --top;
  // Unit in the last place of the result; subnormals share that of the smallest normal.
  int ulp = parts.exponent + top - fractionBits;
  const int smallest = 1 - bias - fractionBits;
  if (ulp < smallest) ulp = smallest;
  if (ulp - smallest >= largest) return sign | infinity;
  const uint64_t fraction = shiftRight(parts.significand, ulp - parts.exponent);
  // A carry out of the fraction goes up into the exponent, and from the last one to infinity.
  const uint64_t exponent = static_cast<uint64_t>(ulp - smallest);
  const uint64_t bits = (exponent << fractionBits) + fraction;
  return sign | (bits < infinity ? static_cast<uint32_t>(bits) : infinity);
}

uint32_t toFloat32(const Parts& parts) { return pack(parts, 8, 23); }
uint16_t toFloat16(const Parts& parts) { return static_cast<uint16_t>(pack(parts, 5, 10)); }
uint16_t toBFloat16(const Parts& parts) { return static_cast<uint16_t>(pack(parts, 8, 7)); }

bool toInt32(const Parts& parts, int32_t* value) {
  if (parts.nan || parts.infinite) return false;
  if (parts.significand == 0) {
    *value = 0;
    return true;
  }
  if (parts.exponent > 31) return false;
  uint64_t magnitude = parts.significand;
  if (parts.exponent > 0) {
    if (magnitude > uint64_t{1} << 32) return false;
    magnitude <<= parts.exponent;
  } else {
    magnitude = shiftRight(magnitude, -parts.exponent);
  }
  if (magnitude > (parts.sign ? uint64_t{1} << 31 : (uint64_t{1} << 31) - 1)) return false;
  *value = static_cast<int32_t>(parts.sign ? -static_cast<int64_t>(magnitude)
                                           : static_cast<int64_t>(magnitude));
  return true;
}

Parts partsAt(FileDType dtype, const char* p) {
  switch (dtype) {
    case FileDType::kF64:
      return partsOfFloat(readAs<uint64_t>(p), 11, 52);
    case FileDType::kF32:
      return partsOfFloat(readAs<uint32_t>(p), 8, 23);
    case FileDType::kF16:
      return partsOfFloat(readAs<uint16_t>(p), 5, 10);
    case FileDType::kBF16:
      return partsOfFloat(readAs<uint16_t>(p), 8, 7);
    case FileDType::kI64:
      return partsOfInteger(readAs<int64_t>(p));
    case FileDType::kI32:
      return partsOfInteger(readAs<int32_t>(p));
    case FileDType::kI16:
      return partsOfInteger(readAs<int16_t>(p));
    case FileDType::kI8:
      return partsOfInteger(readAs<int8_t>(p));
    case FileDType::kU8:
      return partsOfInteger(readAs<uint8_t>(p));
    case FileDType::kBool:
      return partsOfInteger(readAs<uint8_t>(p) != 0);
  }
  return {};
}

// The most frequent conversion of all, as one shift.
void widenBFloat16(const char* source, char* target, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t bits = static_cast<uint32_t>(readAs<uint16_t>(source + 2 * i)) << 16;
    memcpy(target + 4 * i, &bits, 4);
  }
}

}  // namespace

const char* fileDTypeName(FileDType dtype) {
  static const char* const names[] = {"F64", "F32", "F16", "BF16", "I64",
                                      "I32", "I16", "I8",  "U8",   "BOOL"};
  return names[static_cast<int>(dtype)];
}

int64_t fileDTypeBytes(FileDType dtype) {
  static const int64_t bytes[] = {8, 4, 2, 2, 8, 4, 2, 1, 1, 1};
  return bytes[static_cast<int>(dtype)];
}

bool sameBytes(FileDType from, DType to) {
  return (from == FileDType::kF32 && to == DType::kFloat32) ||
         (from == FileDType::kF16 && to == DType::kFloat16) ||
         (from == FileDType::kBF16 && to == DType::kBFloat16) ||
         (from == FileDType::kI32 && to == DType::kInt32);
}

int64_t convertElements(FileDType from, const void* source, DType to, void* target, int64_t count) {
  const char* in = static_cast<const char*>(source);
  char* out = static_cast<char*>(target);
  const int64_t step = fileDTypeBytes(from);
  if (sameBytes(from, to)) {
    if (count > 0) memcpy(out, in, static_cast<size_t>(count * step));
    return -1;
  }
  if (from == FileDType::kBF16 && to == DType::kFloat32) {
    widenBFloat16(in, out, count);
    return -1;
  }
  for (int64_t i = 0; i < count; ++i) {
    const Parts parts = partsAt(from, in + i * step);
    if (to == DType::kFloat32) {
      const uint32_t bits = toFloat32(parts);
      memcpy(out + 4 * i, &bits, 4);
    } else if (to == DType::kInt32) {
      int32_t value;
      if (!toInt32(parts, &value)) return i;
      memcpy(out + 4 * i, &value, 4);
    } else {
      const uint16_t bits = to == DType::kFloat16 ? toFloat16(parts) : toBFloat16(parts);
      memcpy(out + 2 * i, &bits, 2);
    }
  }
  return -1;
}

}  // namespace heddle
