// Sizes that kernels of cached keys and values share with the checks of their operands.
#pragma once

#include <stdint.h>

namespace heddle {

constexpr int64_t kPagePositions = 64;   // of a page
constexpr int64_t kPartPositions = 512;  // of a part of a row's attention

}  // namespace heddle
