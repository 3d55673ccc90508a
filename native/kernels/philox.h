// Random bits by Philox-4x32 with ten rounds (Salmon et al., "Parallel Random Numbers: As Easy as
// 1, 2, 3", 2011): four 32-bit words for each number of a block, in any order and by any thread.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

constexpr int64_t kPhiloxBlocks = 16;  // at once: enough for the compiler to fill its vectors

// What a stream of random numbers is keyed by; `branch` tells streams of one site apart.
struct PhiloxKey {
  uint32_t first, second, site, branch;
};

// The words of kPhiloxBlocks blocks, one array for each of the four.
static void philox(uint64_t block, PhiloxKey key, uint32_t (&words)[4][kPhiloxBlocks]) {
  for (int64_t i = 0; i < kPhiloxBlocks; i++) {
    const uint64_t counter = block + static_cast<uint64_t>(i);
    words[0][i] = static_cast<uint32_t>(counter);
    words[1][i] = static_cast<uint32_t>(counter >> 32);
    words[2][i] = key.site;
    words[3][i] = key.branch;
  }
  for (int round = 0; round < 10; round++) {
    for (int64_t i = 0; i < kPhiloxBlocks; i++) {
      const uint64_t a = uint64_t{0xd2511f53} * words[0][i];
      const uint64_t b = uint64_t{0xcd9e8d57} * words[2][i];
      words[0][i] = static_cast<uint32_t>(b >> 32) ^ words[1][i] ^ key.first;
      words[1][i] = static_cast<uint32_t>(b);
      words[2][i] = static_cast<uint32_t>(a >> 32) ^ words[3][i] ^ key.second;
      words[3][i] = static_cast<uint32_t>(a);
    }
    key.first += 0x9e3779b9;
    key.second += 0xbb67ae85;
  }
}

}  // namespace heddle::HEDDLE_ISA
