// The team of threads that runs a plan: OpenMP where the compiler has it, else a few std::threads
// behind the same two calls.
//
// A team belongs to the engine thread, which is its thread 0. Between runs the other threads sleep.
#pragma once

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

#if HEDDLE_HAS_OPENMP

class Team {
 public:
  // body(thread, threads) on every thread of a team of at most `threads`. The body must not throw.
  template <typename Body>
  void run(int threads, const Body& body) {
#pragma omp parallel num_threads(threads)
    {
      body(omp_get_thread_num(), omp_get_num_threads());
      barrier();  // so that nobody spins at the region's own end
    }
  }

  // To be called inside run() by every thread: none goes on before all have come.
  void barrier() { barrier_.wait(omp_get_num_threads()); }

 private:
  Barrier barrier_;
};

#else

class Team {
 public:
  Team() = default;
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team() { resize(1); }

  template <typename Body>
  void run(int threads, const Body& body) {
    resize(threads);
    begin([](const void* context, int thread,
             int count) { (*static_cast<const Body*>(context))(thread, count); },
          &body);
    body(0, threads_);
    barrier();
  }

  void barrier() { barrier_.wait(threads_); }

 private:
  using Body = void (*)(const void* context, int thread, int threads);

  void begin(Body body, const void* context) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      body_ = body;
      context_ = context;
      ++job_;
    }
    start_.notify_all();
  }

  void resize(int threads) {
    if (threads == threads_) return;
    begin(nullptr, nullptr);
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
    threads_ = threads;
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
      Body body;
      const void* context;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        start_.wait(lock, [&] { return job_ != seen; });
        seen = job_;
        body = body_;
        context = context_;
      }
      if (!body) return;
      body(context, thread, threads_);
      barrier();
    }
  }

  std::mutex mutex_;
  std::condition_variable start_;
  std::vector<std::thread> workers_;
  Barrier barrier_;
  int threads_ = 1;
  long job_ = 0;
  Body body_ = nullptr;
  const void* context_ = nullptr;
};

#endif

}  // namespace heddle
