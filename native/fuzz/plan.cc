// Plans from hostile words: loaded, and where that succeeds run on the scalar kernels, with inputs
// that are hostile too. States and sizes are kept tiny.
//
// Input: one byte of a count of words, the words, then bytes for the inputs of the run.
#include "plan.h"

#include <cstring>
#include <vector>

#include "checked.h"
#include "error.h"

namespace {

using namespace heddle;

std::shared_ptr<State> makeState(DType dtype, std::vector<int64_t> dims) {
  auto storage =
      std::make_shared<Storage>(dtype, static_cast<int>(dims.size()), dims.data(), false);
  AlignedBuffer zeros(storage->plainBytes());
  memset(zeros.data(), 0, static_cast<size_t>(zeros.bytes()));
  storage->setPlain(std::move(zeros));
  return std::make_shared<State>(std::move(storage));
}

const std::vector<std::shared_ptr<State>>& allStates() {
  static const auto* states = new std::vector<std::shared_ptr<State>>{
      makeState(DType::kFloat32, {6, 4}), makeState(DType::kFloat32, {4}),
      makeState(DType::kBFloat16, {6, 4}), makeState(DType::kFloat32, {2, 5}),
      makeState(DType::kFloat32, {1, 3, 3})};
  return *states;
}

constexpr int64_t kMostBytes = 1 << 16;

// False where the sizes would only cost time and memory.
bool isSmall(const Plan& plan, const std::vector<int64_t>& sizes) {
  if (plan.arenaBytes > kMostBytes) return false;
  for (const Value& value : plan.values) {
    if (plan.elements(value, sizes.data()) > kMostBytes / 4) return false;
    // Kernels also loop over dims of tensors that are empty.
    for (int i = 0; i < value.rank; ++i) {
      if (plan.actual(value.dims[i], sizes.data()) > kMostBytes) return false;
    }
  }
  return true;
}

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  uint8_t next() { return at_ < size_ ? data_[at_++] : static_cast<uint8_t>(at_++ % 3); }

 private:
  const uint8_t* data_;
  size_t size_, at_ = 0;
};

void run(const Plan& plan, Bytes bytes) {
  std::vector<int64_t> sizes;
  for (int64_t capacity : plan.capacities) {
    sizes.push_back(capacity < 8 ? bytes.next() % (capacity + 1) : bytes.next() % 8);
  }
  if (!isSmall(plan, sizes)) return;
  // Exactly as much memory as the sizes say, so that one element too far is seen.
  std::vector<std::vector<char>> memory;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  auto allocate = [&](int32_t number) {
    const Value& value = plan.values[static_cast<size_t>(number)];
    const int64_t count = plan.elements(value, sizes.data());
    memory.emplace_back(static_cast<size_t>(count * dtypeBytes(value.dtype)));
    for (int64_t i = 0; i < count && value.dtype == DType::kInt32; ++i) {
      // Mostly small numbers: large ones are refused at once.
      const int32_t element = static_cast<int8_t>(bytes.next());
      memcpy(memory.back().data() + 4 * i, &element, 4);
    }
    return static_cast<void*>(memory.back().data());
  };
  for (int32_t number : plan.inputs) inputs.push_back(allocate(number));
  for (int32_t number : plan.outputs) outputs.push_back(allocate(number));
  static Team* team = new Team;
  BlockPool pool;
  const std::atomic<int32_t> cancelled{0};
  runPlan(plan, {sizes.data(), inputs.data(), outputs.data(), &cancelled, nullptr}, {*team, 1},
          pool);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const size_t count = std::min<size_t>(data[0], (size - 1) / 8);
  std::vector<int64_t> words(count);
  if (count > 0) memcpy(words.data(), data + 1, count * 8);
  // As many states as the plan says: a wrong number is refused too early to be interesting.
  std::vector<std::shared_ptr<State>> states = allStates();
  if (count > 4 && words[4] >= 0 && words[4] < static_cast<int64_t>(states.size())) {
    states.resize(static_cast<size_t>(words[4]));
  }
  try {
    const auto plan = loadPlan(words.data(), count, std::move(states), scalar::table());
    run(*plan, Bytes(data + 1 + count * 8, size - 1 - count * 8));
  } catch (const Error&) {
  }
  return 0;
}
