// The engine: one thread for the whole process, which owns the one team and works off a queue of
// jobs.
//
// It is made at first use. Jobs belong to a Group (a Node environment), which can cancel and await
// its own without touching those of others. At exit the running job is cancelled and the thread
// joined, because the OpenMP runtime and static objects go away after that.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "dispatch.h"
#include "error.h"
#include "memory.h"
#include "parallel.h"
#include "state.h"

namespace heddle {

struct CancelFlag {
  std::atomic<int32_t> requested{0};
};

// What a job may use while it runs.
struct Workbench {
  const KernelTable& kernels;
  Workers workers;
  BlockPool& pool;
  Slab& slab;
  const std::atomic<int32_t>& cancelled;
};

class Job {
 public:
  virtual ~Job() = default;
  // On the engine thread. May throw.
  virtual void execute(const Workbench& bench) = 0;
  // Called exactly once, `error` null after success; on the engine thread, or on the one that
  // closes the group. Must not throw. What the job holds is let go before whoever waits is told.
  virtual void finish(const Error* error) noexcept = 0;

 private:
  friend class Engine;
  std::shared_ptr<CancelFlag> cancel_;
  class Group* group_ = nullptr;
  int priority_ = 0;
};

// The jobs of one owner. Close before destroying.
class Group {
 private:
  friend class Engine;
  int64_t jobs_ = 0;  // queued or running; under the engine's lock
  bool closed_ = false;
};

struct EngineCounters {
  std::atomic<int64_t> runs{0}, nodes{0}, plans{0};
};

class Engine {
 public:
  // The one engine; starts its thread at first use. Throws where that fails.
  static Engine& instance();

  // The kernels in use. They can be chosen once, before or by the first call; `isa` null or "": as
  // they are, or else the best.
  static const KernelTable& kernels(const char* isa = nullptr);

  static int threads();
  static void setThreads(int threads);
  static EngineCounters& counters();

  // `cancel` may be null. Jobs of higher priority go first; among equals, first come, first served.
  void submit(std::unique_ptr<Job> job, Group* group, std::shared_ptr<CancelFlag> cancel,
              int priority);

  // Cancels the group's jobs and waits until the last has finished.
  static void close(Group* group);

 private:
  explicit Engine(const KernelTable& kernels);
  void loop();
  bool takeNext();
  void perform(Job& job);
  void complete(std::unique_ptr<Job> job, const Error* error);
  void stop();
  void cancelAndAwait(Group* group);

  const KernelTable& kernels_;
  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<std::unique_ptr<Job>> queue_;
  std::unique_ptr<Job> running_;
  bool stopping_ = false;
  Team team_;
  BlockPool pool_;
  Slab slab_;
  std::thread thread_;
};

}  // namespace heddle
