// A plan: kernel calls in order over values of known shape, checked once and run many times.
//
// plan_load.cc turns words (plan_format.h) into a Plan and checks all that can be checked without a
// run; hazards.cc decides where the team has to meet; plan.cc runs it.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "dispatch.h"
#include "memory.h"
#include "plan_format.h"
#include "signatures.h"
#include "state.h"

namespace heddle {

struct Value {
  ValueKind kind;
  DType dtype;
  int32_t rank;
  int64_t index;  // arena: byte offset; else: number of the input, output or state
  int64_t dims[kMaxRank];
  int64_t bytesAtCapacity;
};

struct Operand {
  int32_t value;  // −1: absent
  bool packed;    // a state's packed form
};

struct Node {
  const Kernel* kernel;
  const Signature* signature;
  size_t operands;  // first of `inputs` inputs and then `outputs` outputs, in Plan::operands
  int32_t inputs, outputs;
  size_t ints, floats;    // first, in Plan::ints and Plan::floats
  bool barrier;           // the team meets before this node
  int32_t statesWritten;  // the first so many of the outputs
  bool checkAtRun;
};

struct Plan {
  explicit Plan(const KernelTable& table) : table(table) {}

  const KernelTable& table;
  std::vector<int64_t> capacities;  // by symbol
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<Operand> operands;
  std::vector<int64_t> ints;
  std::vector<double> floats;
  std::vector<std::shared_ptr<State>> states;
  std::vector<State*> written;           // states that nodes write, each once, by address
  std::vector<int32_t> inputs, outputs;  // by number: the value that gives its dtype and size
  int64_t arenaBytes = 0;
  int64_t firstWrite = 0;  // the first node that writes a state; nodes.size(): none

  int64_t actual(int64_t dim, const int64_t* symbols) const {
    return dim >= 0 ? dim : symbols[-1 - dim];
  }
  int64_t elements(const Value& value, const int64_t* symbols) const;
};

// Throws Error with what is wrong and at which node. `states`: by number, as the words refer to
// them.
std::unique_ptr<Plan> loadPlan(const int64_t* words, size_t count,
                               std::vector<std::shared_ptr<State>> states,
                               const KernelTable& table);

// Sets Node::barrier: nodes between two barriers neither read nor overwrite what another of them
// writes, so that a thread may go on to the next while others still work. A barrier also stands
// before the first write of a state, where the run commits itself.
void placeBarriers(Plan* plan);

// What one run brings with it.
struct RunArguments {
  const int64_t* symbols;     // checked against the capacities
  const void* const* inputs;  // of the sizes that the symbols say
  void* const* outputs;
  const std::atomic<int32_t>* cancelled;
  double* profile;  // null, or 2 × nodes: start and end of each node, ns from the run's start
};

// Throws where a size exceeds its capacity or is negative.
void checkSymbols(const Plan& plan, const int64_t* symbols, size_t count);

// Runs the plan on the calling thread, which must be the engine's, and its team. Throws before
// anything is written, or kCancelled: until the first node that writes a state has begun, a run can
// be cancelled and leaves states as they were; after that, it goes through.
void runPlan(const Plan& plan, const RunArguments& arguments, Workers workers, BlockPool& pool);

}  // namespace heddle
