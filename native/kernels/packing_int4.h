// The layout of packed int4 weights: panels of kPanel columns (packing.h), and in a panel one block
// of k after the other, so that a product reads one stream:
//
//   scales f16[kPanel], minimums f16[kPanel], values [4][kPanel][4]
//
// Byte i of column j in group g holds value 8g + i in its lower half and 8g + 4 + i in its upper:
// each half of a vector of bytes is four neighbouring values of kLanes columns, as dotBlock takes
// them. Columns that fill up the last panel are zeros.
#pragma once

#include "kernels/gemm.h"
#include "kernels/quantized_blocks.h"
#include "kernels/tile.h"

namespace heddle::HEDDLE_ISA {

constexpr int kGroupBytes = kPanel * 4;
constexpr int kPanelBlock = kPanel * static_cast<int>(sizeof(Int4Block));  // bytes

// The parts of one block of a panel.
struct PanelBlock {
  uint16_t* scales;
  uint16_t* minimums;
  uint8_t* values;
};

HEDDLE_INLINE PanelBlock panelBlockAt(const void* at) {
  uint16_t* scales = static_cast<uint16_t*>(const_cast<void*>(at));
  return {scales, scales + kPanel, reinterpret_cast<uint8_t*>(scales + 2 * kPanel)};
}

HEDDLE_INLINE int64_t int4PanelBytes(int64_t k) { return blocksOf(k) * kPanelBlock; }

// Where the first four values of column j in group g stand; the next four are their upper halves.
HEDDLE_INLINE uint8_t* groupAt(const PanelBlock& block, int g, int j) {
  return block.values + g * kGroupBytes + j * 4;
}

static void packInt4Panel(uint8_t* panel, const Int4Block* source, int64_t blocks, int columns) {
  __builtin_memset(panel, 0, static_cast<size_t>(blocks * kPanelBlock));
  for (int64_t b = 0; b < blocks; b++) {
    const PanelBlock target = panelBlockAt(panel + b * kPanelBlock);
    for (int j = 0; j < columns; j++) {
      const Int4Block& block = source[j * blocks + b];
      target.scales[j] = block.scale;
      target.minimums[j] = block.minimum;
      for (int g = 0; g < 4; g++) {
        uint8_t* bytes = groupAt(target, g, j);
        for (int i = 0; i < 4; i++) {
          const int low = int4Value(block, 8 * g + i), high = int4Value(block, 8 * g + 4 + i);
          bytes[i] = static_cast<uint8_t>(low | high << 4);
        }
      }
    }
  }
}

static void unpackInt4(const PackedMatrix& source, Int4Block* target) {
  const int64_t blocks = blocksOf(source.k);
  for (int64_t row = 0; row < source.n; row++) {
    const uint8_t* panel =
        static_cast<const uint8_t*>(source.data) + row / kPanel * int4PanelBytes(source.k);
    const int j = static_cast<int>(row % kPanel);
    for (int64_t b = 0; b < blocks; b++) {
      const PanelBlock from = panelBlockAt(panel + b * kPanelBlock);
      Int4Block& block = target[row * blocks + b];
      block.scale = from.scales[j];
      block.minimum = from.minimums[j];
      const auto value = [&](int i) {
        return groupAt(from, i / 8, j)[i % 4] >> (i % 8 < 4 ? 0 : 4) & 15;
      };
      for (int i = 0; i < 16; i++) {
        block.values[i] = static_cast<uint8_t>(value(i) | value(16 + i) << 4);
      }
    }
  }
}

}  // namespace heddle::HEDDLE_ISA
