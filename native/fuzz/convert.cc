// Conversions of any bytes to any dtype, from memory of exactly the right size, at any address.
// What float32 holds exactly must come back.
#include "convert.h"

#include <stdlib.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "checked.h"

using namespace heddle;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const FileDType from = static_cast<FileDType>(data[0] % kFileDTypes);
  const DType to = static_cast<DType>(data[1] % 4);
  const int64_t count = static_cast<int64_t>(size - 2) / fileDTypeBytes(from);
  const std::vector<uint8_t> source(data + 2, data + 2 + count * fileDTypeBytes(from));
  std::vector<uint8_t> target(static_cast<size_t>(count * dtypeBytes(to)));
  const int64_t bad = convertElements(from, source.data(), to, target.data(), count);
  if (bad >= count || (bad >= 0 && to != DType::kInt32)) abort();

  const bool half = from == FileDType::kF16 || from == FileDType::kBF16;
  if (!half || count == 0) return 0;
  std::vector<float> wide(static_cast<size_t>(count));
  convertElements(from, source.data(), DType::kFloat32, wide.data(), count);
  std::vector<uint16_t> again(static_cast<size_t>(count));
  convertElements(FileDType::kF32, wide.data(),
                  from == FileDType::kF16 ? DType::kFloat16 : DType::kBFloat16, again.data(),
                  count);
  for (int64_t i = 0; i < count; ++i) {
    const size_t at = static_cast<size_t>(i);
    uint16_t bits;
    memcpy(&bits, source.data() + 2 * at, 2);
    if (!std::isnan(wide[at]) && again[at] != bits) abort();
  }
  return 0;
}
