// The kernels of an instruction set as the rest of the engine sees them.
#pragma once

#include "kernels/gemm.h"
#include "kernels/kernel.h"

namespace heddle {

// Every instruction set fills one table (kernels/table.inc, compiled per set). The order of
// `kernels` is the same in all of them: a kernel's index is its id in a plan.
struct KernelTable {
  const char* isa;  // "scalar", "avx2", …
  const Kernel* kernels;
  int count;
  Packing packing;
};

namespace scalar {
const KernelTable& table();
}
#if defined(__x86_64__) || defined(_M_X64)
namespace avx2 {
const KernelTable& table();
}
namespace avx2vnni {
const KernelTable& table();
}
namespace avx512 {
const KernelTable& table();
}
namespace avx512vnni {
const KernelTable& table();
}
namespace avx512bf16 {
const KernelTable& table();
}
#endif
#if defined(__aarch64__) || defined(_M_ARM64)
namespace neon {
const KernelTable& table();
}
namespace neondot {
const KernelTable& table();
}
#endif

}  // namespace heddle
