#include "plan.h"

#include <inttypes.h>

#include <algorithm>
#include <mutex>
#include <optional>

#include "checked.h"
#include "error.h"
#include "node_times.h"

namespace heddle {
namespace {

// A zero-sized operand that is present must not look absent.
alignas(kAlignment) char emptyBuffer[kAlignment];

// One counter a cache line: neighbours may run at the same time.
struct alignas(64) PaddedCounter {
  WorkCounter work;
};

// Everything that the threads of one run look at.
class Run {
 public:
  Run(const Plan& plan, const RunArguments& arguments, char* arena)
      : plan_(plan),
        arguments_(arguments),
        arena_(arena),
        tensors_(plan.operands.size()),
        calls_(plan.nodes.size()),
        counters_(plan.nodes.size()) {
    for (size_t i = 0; i < plan.nodes.size(); ++i) {
      const Node& node = plan.nodes[i];
      for (int32_t j = 0; j < node.inputs + node.outputs; ++j) {
        const size_t at = node.operands + static_cast<size_t>(j);
        tensors_[at] = resolve(plan.operands[at]);
      }
      counters_[i].work.next = 0;
      const Tensor* inputs = tensors_.data() + node.operands;
      const bool committed = static_cast<int64_t>(i) >= plan.firstWrite;
      calls_[i] = {inputs,
                   inputs + node.inputs,
                   plan.ints.data() + node.ints,
                   plan.floats.data() + node.floats,
                   &counters_[i].work,
                   committed ? &never_ : reinterpret_cast<const int32_t*>(arguments.cancelled)};
    }
  }

  // All that can be wrong with values, before anything is written.
  void check() const {
    for (size_t i = 0; i < plan_.nodes.size(); ++i) {
      const Node& node = plan_.nodes[i];
      if (!node.checkAtRun) continue;
      // Absent operands are told by their rank, as when the plan was made.
      std::vector<Tensor> tensors(calls_[i].inputs, calls_[i].inputs + node.inputs + node.outputs);
      for (Tensor& tensor : tensors) {
        if (!tensor.data) tensor.rank = -1;
      }
      checkAtRun({static_cast<int64_t>(i), node.kernel->name, node.signature, tensors.data(),
                  tensors.data() + node.inputs, calls_[i].ints, calls_[i].floats});
    }
  }

  int64_t scratchBytes() const {
    size_t most = 0;
    for (size_t i = 0; i < plan_.nodes.size(); ++i) {
      const ScratchFunction scratch = plan_.nodes[i].kernel->scratch;
      if (scratch) most = std::max(most, scratch(calls_[i]));
    }
    if (most > static_cast<size_t>(kMaxBytes)) throw std::bad_alloc();
    return alignUp(static_cast<int64_t>(most));
  }

  // The whole run, on one thread of the team. All threads pass the same barriers, also after a
  // cancellation: then they only skip the work. With `times`, nodes do not overlap.
  void execute(Team& team, int thread, int threads, Scratch scratch, NodeTimes* times) {
    bool skip = false;
    for (size_t i = 0; i < plan_.nodes.size(); ++i) {
      const Node& node = plan_.nodes[i];
      if (node.barrier || (times && i > 0)) team.barrier();
      if (static_cast<int64_t>(i) == plan_.firstWrite) {
        // One thread decides for all whether the run still can be cancelled.
        if (thread == 0) abandoned_ = isRequested();
        team.barrier();
        skip = abandoned_;
      }
      if (static_cast<int64_t>(i) < plan_.firstWrite) skip = isRequested();
      if (times) times->begin(thread, i);
      if (!skip) node.kernel->run(calls_[i], thread, threads, scratch);
      if (times) times->end(thread, i);
    }
  }

  bool abandoned() const {
    const bool writes = plan_.firstWrite < static_cast<int64_t>(plan_.nodes.size());
    return writes ? abandoned_ : isRequested();
  }

 private:
  bool isRequested() const { return arguments_.cancelled->load(std::memory_order_relaxed) != 0; }

  Tensor resolve(const Operand& operand) const {
    Tensor tensor = {};
    if (operand.value < 0) return tensor;
    const Value& value = plan_.values[static_cast<size_t>(operand.value)];
    tensor.dtype = value.dtype;
    tensor.rank = value.rank;
    for (int i = 0; i < value.rank; ++i) {
      tensor.dims[i] = plan_.actual(value.dims[i], arguments_.symbols);
    }
    const size_t index = static_cast<size_t>(value.index);
    switch (value.kind) {
      case ValueKind::kArena:
        tensor.data = arena_ + index;
        break;
      case ValueKind::kInput:
        tensor.data = const_cast<void*>(arguments_.inputs[index]);
        break;
      case ValueKind::kOutput:
        tensor.data = arguments_.outputs[index];
        break;
      case ValueKind::kState: {
        const Storage& storage = plan_.states[index]->storage();
        tensor.data =
            operand.packed ? const_cast<PackedMatrix*>(storage.packed()) : storage.plain();
        break;
      }
    }
    if (!tensor.data) tensor.data = emptyBuffer;
    return tensor;
  }

  const Plan& plan_;
  const RunArguments& arguments_;
  char* const arena_;
  std::vector<Tensor> tensors_;
  std::vector<Call> calls_;
  std::vector<PaddedCounter> counters_;
  const int32_t never_ = 0;
  bool abandoned_ = false;
};

static_assert(sizeof(std::atomic<int32_t>) == sizeof(int32_t), "kernels read it as an int32");

// Holds the states that a run writes from its first look at them to its end.
class WriteLocks {
 public:
  explicit WriteLocks(const Plan& plan) : written_(plan.written) {
    for (State* state : written_) state->writing().lock();
  }
  ~WriteLocks() {
    for (State* state : written_) state->writing().unlock();
  }
  WriteLocks(const WriteLocks&) = delete;
  WriteLocks& operator=(const WriteLocks&) = delete;

 private:
  const std::vector<State*>& written_;
};

// Makes the forms that the plan's operands need. Changes no contents.
void prepareStates(const Plan& plan, Workers workers) {
  const Packing& packing = plan.table.packing;
  for (State* state : plan.written) state->prepareToWrite(packing);
  for (const Operand& operand : plan.operands) {
    if (operand.value < 0) continue;
    const Value& value = plan.values[static_cast<size_t>(operand.value)];
    if (value.kind != ValueKind::kState) continue;
    Storage& storage = plan.states[static_cast<size_t>(value.index)]->storage();
    if (operand.packed)
      storage.needPacked(packing, workers);
    else
      storage.needPlain(packing);
  }
}

}  // namespace

int64_t Plan::elements(const Value& value, const int64_t* symbols) const {
  int64_t product = 1;
  for (int i = 0; i < value.rank; ++i) product *= actual(value.dims[i], symbols);
  return product;
}

void checkSymbols(const Plan& plan, const int64_t* symbols, size_t count) {
  if (count != plan.capacities.size()) {
    throw Error(ErrorCode::kArgument, "run: expected %zu sizes of symbols, found %zu",
                plan.capacities.size(), count);
  }
  for (size_t i = 0; i < count; ++i) {
    if (symbols[i] >= 0 && symbols[i] <= plan.capacities[i]) continue;
    throw Error(ErrorCode::kArgument,
                "run: symbol %zu: expected a size from 0 to its capacity %" PRId64
                ", found %" PRId64,
                i, plan.capacities[i], symbols[i]);
  }
}

void runPlan(const Plan& plan, const RunArguments& arguments, Workers workers, BlockPool& pool) {
  const WriteLocks locks(plan);
  prepareStates(plan, workers);
  const PooledBlock arena(pool, plan.arenaBytes);
  Run run(plan, arguments, arena.data());
  run.check();
  const int64_t scratchBytes = run.scratchBytes();
  const PooledBlock scratch(pool, scratchBytes * workers.threads);
  std::optional<NodeTimes> times;
  if (arguments.profile) times.emplace(plan.nodes.size(), workers.threads);
  workers.team.run(workers.threads, [&](int thread, int threads) {
    char* own = scratch.data() + thread * scratchBytes;
    run.execute(workers.team, thread, threads, {own, static_cast<size_t>(scratchBytes)},
                times ? &*times : nullptr);
  });
  if (times) times->write(arguments.profile);
  if (run.abandoned()) throw Error(ErrorCode::kCancelled, "cancelled");
  for (State* state : plan.written) state->storage().dropPacked();
}

}  // namespace heddle
