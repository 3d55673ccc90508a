// The team of threads that runs a plan: OpenMP where the compiler has it, else a few std::threads
// behind the same calls.
//
// A team belongs to the engine thread, which is its thread 0. Unless they are held, the
// other threads sleep between runs.
#pragma once

#include <algorithm>

#include "barrier.h"

#if defined(_OPENMP) && !defined(HEDDLE_NO_OPENMP)
#define HEDDLE_HAS_OPENMP 1
#include <omp.h>
#else
#define HEDDLE_HAS_OPENMP 0
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>
#endif

namespace heddle {

class Team {
 public:
  Team() = default;
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
#if !HEDDLE_HAS_OPENMP
  ~Team() { resize(1); }
#endif

  // body(thread, threads) on every thread of a team of at most `threads`. The body must not throw.
  template <typename Body>
  void run(int threads, const Body& body) {
    if (held_ == 0) return hold(threads, [&] { run(threads, body); });
    active_ = std::min(threads, held_);
    if (active_ == 1) return body(0, 1);
    body_ = [](const void* context, int thread, int count) {
      (*static_cast<const Body*>(context))(thread, count);
    };
    context_ = &body;
    meeting_.wait(held_);
    body(0, active_);
    meeting_.wait(held_);
  }

  // work() on the calling thread, with the others at hand for each run() in it: to wake threads
  // that sleep takes longer than reading a small weight does. It must not throw.
  template <typename Work>
  void hold(int threads, const Work& work);

  // To be called inside run() by every thread: none goes on before all have come.
  void barrier() { barrier_.wait(active_); }

 private:
  // What the other threads do while they are held.
  void serve(int thread, int held) {
    for (;;) {
      meeting_.wait(held);
      const bool isEnd = !body_;
      if (!isEnd && thread < active_) body_(context_, thread, active_);
      meeting_.wait(held);
      if (isEnd) return;
    }
  }

  template <typename Work>
  void command(int held, const Work& work) {
    held_ = held;
    work();
    held_ = 0;
    body_ = nullptr;
    meeting_.wait(held);
    meeting_.wait(held);  // all have seen it before another body is there
  }

  // Apart, as those who have no part in a body wait for its end.
  Barrier barrier_, meeting_;
  // Written by the calling thread only, before a meeting.
  int held_ = 0, active_ = 1;
  void (*body_)(const void* context, int thread, int threads) = nullptr;
  const void* context_ = nullptr;

#if !HEDDLE_HAS_OPENMP
  void wake() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ++job_;
    }
    start_.notify_all();
  }

  void resize(int threads) {
    if (threads == threads_) return;
    threads_ = 0;
    wake();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
    const long job = job_;
    for (int i = 1; i < threads; ++i) {
      // Where the system refuses more threads, a smaller team does the work.
      try {
        workers_.emplace_back([this, i, job] { work(i, job); });
      } catch (...) {
        break;
      }
    }
    // No worker looks at threads_ before the first job.
    threads_ = static_cast<int>(workers_.size()) + 1;
  }

  void work(int thread, long seen) {
    for (;;) {
      {
        std::unique_lock<std::mutex> lock(mutex_);
        start_.wait(lock, [&] { return job_ != seen; });
        seen = job_;
      }
      if (threads_ == 0) return;
      serve(thread, threads_);
    }
  }

  std::mutex mutex_;
  std::condition_variable start_;
  std::vector<std::thread> workers_;
  int threads_ = 1;  // 0: they are to end
  long job_ = 0;
#endif
};

template <typename Work>
void Team::hold(int threads, const Work& work) {
#if HEDDLE_HAS_OPENMP
#pragma omp parallel num_threads(threads)
  {
    const int thread = omp_get_thread_num(), count = omp_get_num_threads();
    thread == 0 ? command(count, work) : serve(thread, count);
  }
#else
  resize(threads);
  if (threads_ > 1) wake();
  command(threads_, work);
#endif
}

}  // namespace heddle
