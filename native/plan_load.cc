// From words that nobody has checked to a Plan that can do no harm.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <algorithm>
#include <string>

#include "checked.h"
#include "error.h"
#include "plan.h"

namespace heddle {
namespace {

constexpr int64_t kMaxOperands = 64;

const char* const kDTypeNames[] = {"float32", "float16", "bfloat16",      "int32",
                                   "int8",    "int4",    "int8 in blocks"};
const char* const kKindNames[] = {"an arena value", "an input", "an output", "a state"};

class Loader {
 public:
  Loader(const int64_t* words, size_t count, Plan* plan)
      : at_(words), end_(words + count), begin_(words), plan_(*plan) {}

  void load() {
    if (word() != kPlanMagic) fail("expected a plan of format 1");
    const int64_t symbols = count("symbols"), values = count("values"), nodes = count("nodes");
    const int64_t states = count("states"), inputs = count("inputs"), outputs = count("outputs");
    plan_.arenaBytes = word();
    if (plan_.arenaBytes < 0 || plan_.arenaBytes > kMaxBytes) fail("impossible size of the arena");
    if (states != static_cast<int64_t>(plan_.states.size())) {
      throw Error(ErrorCode::kArgument, "plan: expected %" PRId64 " states, found %zu", states,
                  plan_.states.size());
    }
    for (int64_t i = 0; i < symbols; ++i) {
      const int64_t capacity = word();
      if (capacity < 0 || capacity > kMaxBytes) fail("impossible capacity of a symbol");
      plan_.capacities.push_back(capacity);
    }
    plan_.inputs.assign(static_cast<size_t>(inputs), -1);
    plan_.outputs.assign(static_cast<size_t>(outputs), -1);
    plan_.values.reserve(static_cast<size_t>(values));
    for (int64_t i = 0; i < values; ++i) readValue(i);
    requireAll(plan_.inputs, "input");
    requireAll(plan_.outputs, "output");
    plan_.nodes.reserve(static_cast<size_t>(nodes));
    for (int64_t i = 0; i < nodes; ++i) readNode(i);
    if (at_ != end_) fail("words after the last node");
  }

 private:
  int64_t word() {
    if (at_ == end_) fail("the words end too early");
    return *at_++;
  }

  // A number of things that each take at least one word.
  int64_t count(const char* what) {
    const int64_t n = word();
    if (n < 0 || n > end_ - begin_) {
      throw Error(ErrorCode::kArgument, "plan: impossible number of %s: %" PRId64, what, n);
    }
    return n;
  }

  [[noreturn]] void fail(const char* what) const {
    throw Error(ErrorCode::kArgument, "plan: %s (word %td)", what, at_ - begin_);
  }

  void requireAll(const std::vector<int32_t>& numbers, const char* what) {
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (numbers[i] < 0) {
        throw Error(ErrorCode::kArgument, "plan: no value stands for %s %zu", what, i);
      }
    }
  }

  void readValue(int64_t number) {
    auto wrong = [&](const char* what) {
      throw Error(ErrorCode::kArgument, "plan: value %" PRId64 ": %s", number, what);
    };
    Value value = {};
    const int64_t kind = word(), dtype = word();
    value.index = word();
    const int64_t rank = word();
    if (kind < 0 || kind > 3) wrong("unknown kind");
    if (dtype < 0 || dtype > static_cast<int64_t>(DType::kInt8Blocks)) wrong("unknown dtype");
    if (rank < 0 || rank > kMaxRank) wrong("more than 4 dims");
    value.kind = static_cast<ValueKind>(kind);
    value.dtype = static_cast<DType>(dtype);
    value.rank = static_cast<int32_t>(rank);
    int64_t atCapacity[kMaxRank] = {};
    for (int i = 0; i < value.rank; ++i) {
      const int64_t dim = word();
      const int64_t symbols = static_cast<int64_t>(plan_.capacities.size());
      if (dim < -symbols) wrong("a dim of an unknown symbol");
      value.dims[i] = dim;
      atCapacity[i] = plan_.actual(dim, plan_.capacities.data());
    }
    if (const char* problem = dimsProblem(value.dtype, atCapacity, value.rank)) wrong(problem);
    if (!checkedTensorBytes(value.dtype, atCapacity, value.rank, &value.bytesAtCapacity)) {
      wrong("its size exceeds every memory");
    }
    place(value, number, wrong);
    plan_.values.push_back(value);
  }

  template <typename Wrong>
  void place(const Value& value, int64_t number, const Wrong& wrong) {
    const bool float32 = value.dtype == DType::kFloat32;
    switch (value.kind) {
      case ValueKind::kArena: {
        int64_t end = 0;
        if (!float32 && value.dtype != DType::kInt8 && value.dtype != DType::kInt8Blocks)
          wrong("an arena value of neither float32 nor int8");
        if (value.index < 0 || value.index % static_cast<int64_t>(kAlignment) != 0) {
          wrong("a misaligned offset");
        }
        if (!checkedAdd(value.index, value.bytesAtCapacity, &end) || end > plan_.arenaBytes) {
          wrong("it lies outside the arena");
        }
        return;
      }
      case ValueKind::kInput:
        if (!float32 && value.dtype != DType::kInt32)
          wrong("an input of neither float32 nor int32");
        return claimNumber(&plan_.inputs, value, number, wrong);
      case ValueKind::kOutput:
        if (!float32) wrong("an output that is not float32");
        return claimNumber(&plan_.outputs, value, number, wrong);
      case ValueKind::kState:
        placeState(value, wrong);
    }
  }

  template <typename Wrong>
  void claimNumber(std::vector<int32_t>* numbers, const Value& value, int64_t number,
                   const Wrong& wrong) {
    if (value.index < 0 || value.index >= static_cast<int64_t>(numbers->size())) {
      wrong("a number that is too high");
    }
    int32_t& slot = (*numbers)[static_cast<size_t>(value.index)];
    if (slot >= 0) wrong("a second value for the same number");
    slot = static_cast<int32_t>(number);
  }

  template <typename Wrong>
  void placeState(const Value& value, const Wrong& wrong) {
    if (value.index < 0 || value.index >= static_cast<int64_t>(plan_.states.size())) {
      wrong("a number that is too high");
    }
    const State& state = *plan_.states[static_cast<size_t>(value.index)];
    bool fits = value.dtype == state.dtype() && value.rank == state.rank();
    for (int i = 0; fits && i < value.rank; ++i) fits = value.dims[i] == state.dims()[i];
    if (fits) return;
    const Tensor expected = tensorOf(value);
    Tensor found = {nullptr, state.dtype(), state.rank(), {}};
    std::copy(state.dims(), state.dims() + state.rank(), found.dims);
    throw Error(ErrorCode::kShape, "plan: state %" PRId64 ": expected %s %s, found %s %s",
                value.index, kDTypeNames[static_cast<int>(value.dtype)], dimsText(expected).c_str(),
                kDTypeNames[static_cast<int>(state.dtype())], dimsText(found).c_str());
  }

  static Tensor tensorOf(const Value& value) {
    Tensor tensor = {nullptr, value.dtype, value.rank, {}};
    std::copy(value.dims, value.dims + kMaxRank, tensor.dims);
    return tensor;
  }

  void readNode(int64_t number) {
    const int64_t kernel = word();
    if (kernel < 0 || kernel >= plan_.table.count) {
      throw Error(ErrorCode::kArgument, "node %" PRId64 ": no kernel has the id %" PRId64, number,
                  kernel);
    }
    Node node = {};
    node.kernel = &plan_.table.kernels[kernel];
    node.signature = findSignature(node.kernel->name);
    if (!node.signature) {
      throw Error(ErrorCode::kEngine, "the kernel '%s' has no signature", node.kernel->name);
    }
    const Signature& signature = *node.signature;
    const int64_t inputs = word(), outputs = word(), ints = word(), floats = word();
    requireCount(number, node, "inputs", inputs, signature.inputs.size());
    requireCount(number, node, "outputs", outputs, signature.outputs.size());
    requireCount(number, node, "ints", ints, signature.ints.size());
    requireCount(number, node, "floats", floats, signature.floats.size());
    node.inputs = static_cast<int32_t>(inputs);
    node.outputs = static_cast<int32_t>(outputs);
    node.operands = plan_.operands.size();
    node.ints = plan_.ints.size();
    node.floats = plan_.floats.size();
    Tensor tensors[kMaxOperands];
    for (int64_t i = 0; i < inputs + outputs; ++i) {
      const bool isOutput = i >= inputs;
      const OperandPattern& pattern = isOutput ? signature.outputs[static_cast<size_t>(i - inputs)]
                                               : signature.inputs[static_cast<size_t>(i)];
      tensors[i] = readOperand(number, node, pattern, isOutput);
    }
    for (int64_t i = 0; i < ints; ++i)
      readInt(number, node, signature.ints[static_cast<size_t>(i)]);
    for (int64_t i = 0; i < floats; ++i)
      readFloat(number, node, signature.floats[static_cast<size_t>(i)]);
    for (const OperandPattern& output : signature.outputs) node.statesWritten += isWritten(output);
    const NodeView view = {number,
                           node.kernel->name,
                           &signature,
                           tensors,
                           tensors + inputs,
                           plan_.ints.data() + node.ints,
                           plan_.floats.data() + node.floats};
    node.checkAtRun = checkShapes(view);
    plan_.nodes.push_back(node);
  }

  void requireCount(int64_t number, const Node& node, const char* what, int64_t found,
                    size_t expected) {
    if (found == static_cast<int64_t>(expected)) return;
    throw Error(ErrorCode::kArgument, "node %" PRId64 " (%s): expected %zu %s, found %" PRId64,
                number, node.kernel->name, expected, what, found);
  }

  static bool isWritten(const OperandPattern& pattern) {
    return pattern.type == OperandType::kState || pattern.type == OperandType::kPages;
  }

  Tensor readOperand(int64_t number, const Node& node, const OperandPattern& pattern,
                     bool isOutput) {
    auto wrong = [&](ErrorCode code, const std::string& expected, const std::string& found) {
      throw Error(code, "node %" PRId64 " (%s): %s: expected %s, found %s", number,
                  node.kernel->name, pattern.name.c_str(), expected.c_str(), found.c_str());
    };
    const int64_t index = word();
    if (index == -1 && pattern.optional) {
      plan_.operands.push_back({-1, false});
      return {nullptr, DType::kFloat32, -1, {}};
    }
    if (index < 0 || index >= static_cast<int64_t>(plan_.values.size())) {
      wrong(ErrorCode::kArgument, "a value of the plan", "number " + std::to_string(index));
    }
    const Value& value = plan_.values[static_cast<size_t>(index)];
    const std::string kind = kKindNames[static_cast<int>(value.kind)];
    const bool isPacked = pattern.type == OperandType::kPacked;
    const bool isState = value.kind == ValueKind::kState;
    const bool isIndex =
        pattern.type == OperandType::kIndex || pattern.type == OperandType::kOffsets;
    if (isIndex && value.kind != ValueKind::kInput) {
      wrong(ErrorCode::kArgument, "an input of the run, so that its values can be checked", kind);
    }
    if ((isPacked || isWritten(pattern)) && !isState) {
      wrong(ErrorCode::kArgument, "a state", kind);
    }
    if (isOutput && !isWritten(pattern) && value.kind != ValueKind::kArena &&
        value.kind != ValueKind::kOutput) {
      wrong(ErrorCode::kArgument, "an arena value or an output", kind);
    }
    const char* dtype = kDTypeNames[static_cast<int>(value.dtype)];
    if (isIndex) {
      if (value.dtype != DType::kInt32) wrong(ErrorCode::kShape, "int32", dtype);
    } else if (pattern.type == OperandType::kPages) {
      if (value.dtype != DType::kFloat32 && value.dtype != DType::kBFloat16 &&
          value.dtype != DType::kInt8) {
        wrong(ErrorCode::kShape, "float32, bfloat16 or int8", dtype);
      }
    } else if (isPacked) {
      if (value.dtype == DType::kInt32) wrong(ErrorCode::kShape, "floats, int8 or int4", dtype);
    } else if (pattern.type == OperandType::kAnyFloat) {
      if (value.dtype == DType::kInt32 || isInBlocks(value.dtype)) {
        wrong(ErrorCode::kShape, "floats or int8", dtype);
      }
    } else if (pattern.type == OperandType::kInt8) {
      if (value.dtype != DType::kInt8) wrong(ErrorCode::kShape, "int8", dtype);
    } else if (pattern.type == OperandType::kInt8Blocks) {
      if (value.dtype != DType::kInt8Blocks) wrong(ErrorCode::kShape, "int8 in blocks", dtype);
    } else if (value.dtype != DType::kFloat32) {
      wrong(ErrorCode::kShape, "float32", dtype);
    }
    const Tensor tensor = tensorOf(value);
    for (int i = 0; isPacked && i < value.rank; ++i) {
      if (value.dims[i] < 1) wrong(ErrorCode::kShape, "dims of at least 1", dimsText(tensor));
    }
    plan_.operands.push_back({static_cast<int32_t>(index), isPacked});
    return tensor;
  }

  void readInt(int64_t number, const Node& node, const IntRange& range) {
    const int64_t value = word();
    if (value < range.low || value > range.high) {
      throw Error(ErrorCode::kArgument,
                  "node %" PRId64 " (%s): %s: expected %" PRId64 " to %" PRId64 ", found %" PRId64,
                  number, node.kernel->name, range.name, range.low, range.high, value);
    }
    plan_.ints.push_back(value);
  }

  void readFloat(int64_t number, const Node& node, const char* name) {
    const int64_t bits = word();
    double value;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value)) {
      throw Error(ErrorCode::kArgument, "node %" PRId64 " (%s): %s: expected a finite number",
                  number, node.kernel->name, name);
    }
    plan_.floats.push_back(value);
  }

  const int64_t* at_;
  const int64_t* const end_;
  const int64_t* const begin_;
  Plan& plan_;
};

void noteWrites(Plan* plan) {
  plan->firstWrite = static_cast<int64_t>(plan->nodes.size());
  for (size_t i = plan->nodes.size(); i-- > 0;) {
    const Node& node = plan->nodes[i];
    if (node.statesWritten > 0) plan->firstWrite = static_cast<int64_t>(i);
    for (int32_t j = 0; j < node.statesWritten; ++j) {
      const Operand& target = plan->operands[node.operands + static_cast<size_t>(node.inputs + j)];
      const Value& value = plan->values[static_cast<size_t>(target.value)];
      plan->written.push_back(plan->states[static_cast<size_t>(value.index)].get());
    }
  }
  // One order for all plans, so that two threads can never wait for each other's states.
  std::sort(plan->written.begin(), plan->written.end());
  plan->written.erase(std::unique(plan->written.begin(), plan->written.end()), plan->written.end());
}

}  // namespace

std::unique_ptr<Plan> loadPlan(const int64_t* words, size_t count,
                               std::vector<std::shared_ptr<State>> states,
                               const KernelTable& table) {
  auto plan = std::make_unique<Plan>(table);
  plan->states = std::move(states);
  Loader(words, count, plan.get()).load();
  noteWrites(plan.get());
  placeBarriers(plan.get());
  return plan;
}

}  // namespace heddle
