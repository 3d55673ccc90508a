// Conversion of the elements of a file to the dtypes of the engine.
//
// To floats: to the nearest, ties to even, in one rounding from the exact value; overflow gives an
// infinity, NaN stays NaN, subnormals are kept. To int32: to the nearest, ties to even; a value
// that does not fit, or NaN, is an error. Source: IEEE 754-2019, 4.3.1.
#pragma once

#include <stdint.h>

#include "kernels/kernel.h"

namespace heddle {

// Numbered as HeddleFileDType in api.h.
enum class FileDType : int32_t { kF64 = 0, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };
constexpr int kFileDTypes = 10;

const char* fileDTypeName(FileDType dtype);
int64_t fileDTypeBytes(FileDType dtype);

// True where the bytes of the file are already those of the target.
bool sameBytes(FileDType from, DType to);

// `count` elements at any address. Returns the index of the first element that does not fit int32,
// or −1.
int64_t convertElements(FileDType from, const void* source, DType to, void* target, int64_t count);

}  // namespace heddle
