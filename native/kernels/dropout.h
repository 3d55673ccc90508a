// y = x·scale where an element stays, 0 where it is dropped (Srivastava et al., 2014). Element e
// stays where word e mod 4 of block ⌊e / 4⌋ is at least the threshold; blocks are those of
// Philox-4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011) with the
// counter (block, site) and the key (seed, step). So the bits do not depend on the thread count.
#pragma once

#include "kernels/kernel.h"

namespace heddle::HEDDLE_ISA {

static void dropout(const Call& call, int thread, int threads, Scratch scratch);

}  // namespace heddle::HEDDLE_ISA
