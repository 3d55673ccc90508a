// Builds plans (plan_format.h) by hand.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "checked.h"
#include "dispatch.h"
#include "plan_format.h"

namespace heddle::test {

class PlanWords {
 public:
  explicit PlanWords(const KernelTable& table) : table_(table) {}

  PlanWords& symbol(int64_t capacity) {
    symbols_.push_back(capacity);
    return *this;
  }
  int64_t input(const std::vector<int64_t>& dims, DType dtype = DType::kFloat32) {
    return value(ValueKind::kInput, inputs_++, dims, dtype);
  }
  int64_t output(const std::vector<int64_t>& dims) {
    return value(ValueKind::kOutput, outputs_++, dims, DType::kFloat32);
  }
  int64_t state(const std::vector<int64_t>& dims, DType dtype = DType::kFloat32) {
    return value(ValueKind::kState, states_++, dims, dtype);
  }
  int64_t arena(int64_t offset, const std::vector<int64_t>& dims) {
    int64_t bytes = 4;
    for (int64_t dim : dims) bytes *= dim >= 0 ? dim : symbols_[static_cast<size_t>(-1 - dim)];
    if (offset + bytes > arenaBytes) arenaBytes = offset + bytes;
    return value(ValueKind::kArena, offset, dims, DType::kFloat32);
  }
  void node(const char* kernel, const std::vector<int64_t>& in, int64_t out,
            const std::vector<int64_t>& ints = {}, const std::vector<double>& floats = {}) {
    node(kernel, in, std::vector<int64_t>{out}, ints, floats);
  }
  void node(const char* kernel, const std::vector<int64_t>& in, const std::vector<int64_t>& out,
            const std::vector<int64_t>& ints = {}, const std::vector<double>& floats = {}) {
    int64_t id = 0;
    while (id < table_.count && strcmp(table_.kernels[id].name, kernel) != 0) ++id;
    ++nodeCount_;
    append(&nodes_, {id, static_cast<int64_t>(in.size()), static_cast<int64_t>(out.size()),
                     static_cast<int64_t>(ints.size()), static_cast<int64_t>(floats.size())});
    append(&nodes_, in);
    append(&nodes_, out);
    append(&nodes_, ints);
    for (double number : floats) {
      int64_t bits;
      memcpy(&bits, &number, sizeof bits);
      nodes_.push_back(bits);
    }
  }

  std::vector<int64_t> words() const {
    std::vector<int64_t> all = {kPlanMagic,  static_cast<int64_t>(symbols_.size()),
                                valueCount_, nodeCount_,
                                states_,     inputs_,
                                outputs_,    arenaBytes};
    for (const std::vector<int64_t>* part : {&symbols_, &values_, &nodes_}) {
      all.insert(all.end(), part->begin(), part->end());
    }
    return all;
  }

  int64_t arenaBytes = 0;

 private:
  static void append(std::vector<int64_t>* words, const std::vector<int64_t>& more) {
    words->insert(words->end(), more.begin(), more.end());
  }
  int64_t value(ValueKind kind, int64_t index, const std::vector<int64_t>& dims, DType dtype) {
    append(&values_, {static_cast<int64_t>(kind), static_cast<int64_t>(dtype), index,
                      static_cast<int64_t>(dims.size())});
    append(&values_, dims);
    return valueCount_++;
  }

  const KernelTable& table_;
  std::vector<int64_t> symbols_, values_, nodes_;
  int64_t valueCount_ = 0, nodeCount_ = 0, inputs_ = 0, outputs_ = 0, states_ = 0;
};

}  // namespace heddle::test
