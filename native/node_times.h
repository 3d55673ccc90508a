// When each node of a run began and ended: from the first thread that entered it to the last that
// left. No thread alone can tell, for it may be held up, at either end, while the others work.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace heddle {

class NodeTimes {
 public:
  // Times are counted from here. `threads` is the most there may be.
  NodeTimes(size_t nodes, int threads) : nodes_(nodes), stamps_(2 * nodes * size_t(threads), -1) {}

  void begin(int thread, size_t node) { *stamp(thread, node) = elapsed(); }
  void end(int thread, size_t node) { stamp(thread, node)[1] = elapsed(); }

  // Start and end of each node in nanoseconds: 2 × nodes. Called when all threads are through.
  void write(double* times) const {
    for (size_t i = 0; i < 2 * nodes_; i += 2) {
      times[i] = stamps_[i];
      times[i + 1] = stamps_[i + 1];
      for (size_t j = i + 2 * nodes_; j < stamps_.size() && stamps_[j] >= 0; j += 2 * nodes_) {
        times[i] = std::min(times[i], stamps_[j]);
        times[i + 1] = std::max(times[i + 1], stamps_[j + 1]);
      }
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  double* stamp(int thread, size_t node) {
    return stamps_.data() + 2 * (size_t(thread) * nodes_ + node);
  }

  double elapsed() const {
    return std::chrono::duration<double, std::nano>(Clock::now() - begin_).count();
  }

  const size_t nodes_;
  const Clock::time_point begin_ = Clock::now();
  std::vector<double> stamps_;
};

}  // namespace heddle
