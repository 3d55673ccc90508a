// Chooses, once per process, the kernels of the best instruction set that this CPU and its
// operating system support, by CPUID feature and never by vendor. HEDDLE_ISA forces one.
#pragma once

#include "kernels/table.h"

namespace heddle {

// The table in use. `forced` is the wish of HEDDLE_ISA ("" or null: the best). Returns null, and an
// explanation in `why`, where the CPU cannot run the set that was asked for or its name is unknown.
const KernelTable* selectKernels(const char* forced, const char** why);

// Names of the sets this CPU can run, best first; count returned.
int supportedIsas(const char** names, int capacity);

}  // namespace heddle
