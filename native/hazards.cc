// Where the threads of a team have to wait for each other: before a node that reads what an earlier
// one writes (RAW), or writes what an earlier one reads (WAR) or writes (WAW), unless a barrier
// stands between already. All sizes are taken at capacity; real ones are never larger.
//
// The same walk refuses nodes that read what nothing has written, or whose output overlaps their
// own inputs or another of their outputs.
#include <inttypes.h>

#include <algorithm>

#include "checked.h"
#include "error.h"
#include "plan.h"

namespace heddle {
namespace {

// A stretch of memory: of the arena, of one output, or of one state as a whole.
struct Range {
  ValueKind kind;
  const void* state;
  int64_t space;  // number of the output; 0 otherwise
  int64_t begin, end;

  bool sameSpace(const Range& other) const {
    return kind == other.kind && state == other.state && space == other.space;
  }
  bool overlaps(const Range& other) const {
    return sameSpace(other) && begin < other.end && other.begin < end;
  }
  bool operator==(const Range& other) const {
    return sameSpace(other) && begin == other.begin && end == other.end;
  }
};

bool overlapsAny(const Range& range, const std::vector<Range>& others) {
  for (const Range& other : others) {
    if (range.overlaps(other)) return true;
  }
  return false;
}

// Bytes of the arena that have been written, as disjoint ranges in order.
class Written {
 public:
  void add(int64_t begin, int64_t end) {
    if (begin == end) return;
    auto at = std::lower_bound(spans_.begin(), spans_.end(), begin,
                               [](const Span& span, int64_t b) { return span.end < b; });
    auto last = at;
    while (last != spans_.end() && last->begin <= end) {
      begin = std::min(begin, last->begin);
      end = std::max(end, last->end);
      ++last;
    }
    at = spans_.erase(at, last);
    spans_.insert(at, {begin, end});
  }

  bool covers(int64_t begin, int64_t end) const {
    if (begin == end) return true;
    auto at = std::lower_bound(spans_.begin(), spans_.end(), end,
                               [](const Span& span, int64_t e) { return span.end < e; });
    return at != spans_.end() && at->begin <= begin;
  }

 private:
  struct Span {
    int64_t begin, end;
  };
  std::vector<Span> spans_;
};

class Walk {
 public:
  explicit Walk(Plan* plan) : plan_(*plan), outputWritten_(plan->outputs.size(), false) {}

  void run() {
    for (size_t i = 0; i < plan_.nodes.size(); ++i) visit(i);
    for (size_t i = 0; i < outputWritten_.size(); ++i) {
      if (!outputWritten_[i]) {
        throw Error(ErrorCode::kArgument, "plan: no node writes output %zu", i);
      }
    }
  }

 private:
  void visit(size_t number) {
    Node& node = plan_.nodes[number];
    std::vector<Range> reads, writes;
    const Range* replaceable = nullptr;  // what the output may take the place of
    Range first;
    for (int32_t i = 0; i < node.inputs + node.outputs; ++i) {
      const Operand& operand = plan_.operands[node.operands + static_cast<size_t>(i)];
      if (operand.value < 0) continue;
      const Value& value = plan_.values[static_cast<size_t>(operand.value)];
      if (value.kind == ValueKind::kInput) continue;  // nothing writes it
      if (i < node.inputs) {
        requireWritten(number, node, value, operand.packed);
        reads.push_back(rangeOf(value));
        if (i == 0 && node.signature->inPlace) {
          first = reads.back();
          replaceable = &first;
        }
      } else {
        writes.push_back(rangeOf(value));
      }
    }
    for (size_t i = 0; i < writes.size(); ++i) {
      refuseOverlap(number, node, writes[i], reads, replaceable);
      for (size_t j = 0; j < i; ++j) {
        if (!writes[i].overlaps(writes[j])) continue;
        throw Error(ErrorCode::kArgument, "node %zu (%s): two outputs overlap", number,
                    node.kernel->name);
      }
    }

    bool conflict = static_cast<int64_t>(number) == plan_.firstWrite;
    for (const Range& read : reads) conflict |= overlapsAny(read, writes_);
    for (const Range& write : writes) {
      conflict |= overlapsAny(write, writes_) || overlapsAny(write, reads_);
    }
    node.barrier = conflict && number > 0;
    if (node.barrier) {
      reads_.clear();
      writes_.clear();
    }
    reads_.insert(reads_.end(), reads.begin(), reads.end());
    writes_.insert(writes_.end(), writes.begin(), writes.end());
    for (const Range& write : writes) noteWritten(write);
  }

  Range rangeOf(const Value& value) const {
    if (value.kind == ValueKind::kState) {
      const State* state = plan_.states[static_cast<size_t>(value.index)].get();
      return {value.kind, state, 0, 0, 1};
    }
    const bool arena = value.kind == ValueKind::kArena;
    const int64_t begin = arena ? value.index : 0;
    return {value.kind, nullptr, arena ? 0 : value.index, begin, begin + value.bytesAtCapacity};
  }

  void requireWritten(size_t number, const Node& node, const Value& value, bool packed) const {
    bool written = true;
    if (value.kind == ValueKind::kArena) {
      written = arenaWritten_.covers(value.index, value.index + value.bytesAtCapacity);
    } else if (value.kind == ValueKind::kOutput) {
      written = outputWritten_[static_cast<size_t>(value.index)];
    } else if (packed) {
      // The packed form is made when the run begins: it would not see the write.
      const State* state = plan_.states[static_cast<size_t>(value.index)].get();
      if (std::find(statesWritten_.begin(), statesWritten_.end(), state) != statesWritten_.end()) {
        throw Error(ErrorCode::kArgument,
                    "node %zu (%s): the weight is written by an earlier node of the same plan",
                    number, node.kernel->name);
      }
    }
    if (written) return;
    throw Error(ErrorCode::kArgument, "node %zu (%s) reads memory that no earlier node has written",
                number, node.kernel->name);
  }

  void refuseOverlap(size_t number, const Node& node, const Range& write,
                     const std::vector<Range>& reads, const Range* replaceable) const {
    for (const Range& read : reads) {
      if (!write.overlaps(read)) continue;
      if (replaceable && read == *replaceable && write == read) continue;
      throw Error(ErrorCode::kArgument, "node %zu (%s): the output overlaps an input", number,
                  node.kernel->name);
    }
  }

  void noteWritten(const Range& write) {
    if (write.kind == ValueKind::kArena) arenaWritten_.add(write.begin, write.end);
    if (write.kind == ValueKind::kOutput) outputWritten_[static_cast<size_t>(write.space)] = true;
    if (write.kind == ValueKind::kState) {
      statesWritten_.push_back(static_cast<const State*>(write.state));
    }
  }

  Plan& plan_;
  std::vector<Range> reads_, writes_;  // since the last barrier
  Written arenaWritten_;
  std::vector<bool> outputWritten_;
  std::vector<const State*> statesWritten_;
};

}  // namespace

void placeBarriers(Plan* plan) { Walk(plan).run(); }

}  // namespace heddle
