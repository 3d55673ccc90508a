// The meeting point of a team, for waits of microseconds on idle cores and of milliseconds on busy
// ones.
//
// Who comes first spins, as the others are mostly a few microseconds behind and a sleep costs more
// than that. Where other processes hold the cores, spinning keeps the very thread that is waited
// for from running, so the time that is spun follows what waits have lately taken: it shrinks where
// they outlast any spinning, and grows where they do not.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace heddle {

class Barrier {
 public:
  Barrier() = default;
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;

  // Returns when `threads` threads have called it; the same number in every call of a round.
  void wait(int threads) {
    if (threads == 1) return;
    const uint32_t phase = phase_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == threads - 1) {
      arrived_.store(0, std::memory_order_relaxed);
      // Either a sleeper is seen here, or it sees the new phase before it sleeps: all four
      // accesses are sequentially consistent.
      phase_.store(phase + 1);
      if (sleepers_.load() > 0) {
        { std::lock_guard<std::mutex> lock(mutex_); }
        wake_.notify_all();
      }
      return;
    }
    const Clock::time_point begin = Clock::now();
    const int64_t limit = spinNs_.load(std::memory_order_relaxed);
    const bool inTime = spin(phase, begin, limit);
    if (!inTime) sleep(phase);
    const int64_t waited = nanoseconds(Clock::now() - begin);
    if (waited > kMostNs) {
      spinNs_.store(std::max(limit / 2, kLeastNs), std::memory_order_relaxed);
    } else if (limit < kMostNs) {
      spinNs_.store(std::min(limit * 2, kMostNs), std::memory_order_relaxed);
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  // A sleep and its end take some ten microseconds, more on virtual machines.
  static constexpr int64_t kMostNs = 100'000;
  static constexpr int64_t kLeastNs = 1'000;

  static int64_t nanoseconds(Clock::duration duration) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
  }

  static void pause() {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  bool spin(uint32_t phase, Clock::time_point begin, int64_t limit) const {
    do {
      for (int i = 0; i < 16; ++i) {
        if (phase_.load(std::memory_order_acquire) != phase) return true;
        pause();
      }
    } while (nanoseconds(Clock::now() - begin) < limit);
    return false;
  }

  void sleep(uint32_t phase) {
    sleepers_.fetch_add(1);
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return phase_.load() != phase; });
    }
    sleepers_.fetch_sub(1);
  }

  std::atomic<uint32_t> phase_{0};
  std::atomic<int> arrived_{0}, sleepers_{0};
  std::atomic<int64_t> spinNs_{kMostNs};
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace heddle
