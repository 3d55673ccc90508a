#include "engine.h"

#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <utility>

#include "cpu.h"

namespace heddle {
namespace {

std::mutex startMutex;
const KernelTable* chosen = nullptr;  // under startMutex
Engine* theEngine = nullptr;          // under startMutex; never deleted, see engine.h
std::atomic<int> teamSize{0};         // 0: not asked for yet

}  // namespace

const KernelTable& Engine::kernels(const char* isa) {
  std::lock_guard<std::mutex> lock(startMutex);
  const bool any = !isa || !*isa;
  if (!chosen) {
    const char* why = "";
    const KernelTable* table = selectKernels(isa, &why);
    if (!table) {
      throw Error(ErrorCode::kUnsupported, "instruction set '%s': %s", any ? "" : isa, why);
    }
    chosen = table;
  } else if (!any && strcmp(isa, chosen->isa) != 0) {
    throw Error(ErrorCode::kArgument,
                "instruction set '%s': this process already computes with '%s'", isa, chosen->isa);
  }
  return *chosen;
}

int Engine::threads() {
  if (teamSize.load() == 0) {
    int none = 0;
    teamSize.compare_exchange_strong(none, availableThreads());
  }
  return teamSize.load();
}

void Engine::setThreads(int threads) {
  if (threads < 1 || threads > 256) {
    throw Error(ErrorCode::kArgument, "threads: expected 1 to 256, found %d", threads);
  }
  teamSize.store(threads);
}

EngineCounters& Engine::counters() {
  static EngineCounters* counters = new EngineCounters;
  return *counters;
}

Engine& Engine::instance() {
  const KernelTable& table = kernels();
  std::lock_guard<std::mutex> lock(startMutex);
  if (!theEngine) {
    std::unique_ptr<Engine> engine(new Engine(table));
    engine->thread_ = std::thread([raw = engine.get()] { raw->loop(); });
    theEngine = engine.release();
    atexit([] { theEngine->stop(); });
  }
  return *theEngine;
}

Engine::Engine(const KernelTable& kernels) : kernels_(kernels) {}

void Engine::submit(std::unique_ptr<Job> job, Group* group, std::shared_ptr<CancelFlag> cancel,
                    int priority) {
  job->cancel_ = cancel ? std::move(cancel) : std::make_shared<CancelFlag>();
  job->group_ = group;
  job->priority_ = priority;
  std::lock_guard<std::mutex> lock(mutex_);
  if (stopping_ || group->closed_) {
    throw Error(ErrorCode::kEngine, "the engine takes no more jobs: its owner is shutting down");
  }
  auto at = queue_.end();
  while (at != queue_.begin() && (*std::prev(at))->priority_ < priority) --at;
  queue_.insert(at, std::move(job));
  ++group->jobs_;
  wake_.notify_one();
}

void Engine::loop() {
  for (;;) {
    bool isAlone;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      isAlone = queue_.size() == 1;
    }
    // Held before its first body is there, the team might fall asleep once more.
    if (isAlone) {
      if (takeNext()) perform(*running_);
      continue;
    }
    // Weights are hundreds of jobs, one behind the other.
    const int team = threads();
    team_.hold(team, [&] {
      while (threads() == team && takeNext()) perform(*running_);
    });
  }
}

bool Engine::takeNext() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (stopping_ || queue_.empty()) return false;
  running_ = std::move(queue_.front());
  queue_.pop_front();
  return true;
}

void Engine::perform(Job& job) {
  try {
    const std::atomic<int32_t>& cancelled = job.cancel_->requested;
    if (cancelled.load()) throw Error(ErrorCode::kCancelled, "cancelled");
    job.execute({kernels_, {team_, threads()}, pool_, slab_, cancelled});
  } catch (...) {
    const Error error = Error::current();
    return complete(nullptr, &error);
  }
  complete(nullptr, nullptr);
}

// Of `job`, or where it is null of the running one, which stays visible to close() until here.
void Engine::complete(std::unique_ptr<Job> job, const Error* error) {
  if (!job) {
    std::lock_guard<std::mutex> lock(mutex_);
    job = std::move(running_);
  }
  Group* group = job->group_;
  job->finish(error);
  job.reset();
  std::lock_guard<std::mutex> lock(mutex_);
  --group->jobs_;
  idle_.notify_all();
}

void Engine::close(Group* group) {
  Engine* engine;
  {
    std::lock_guard<std::mutex> lock(startMutex);
    engine = theEngine;
  }
  if (engine) engine->cancelAndAwait(group);
}

void Engine::cancelAndAwait(Group* group) {
  std::unique_lock<std::mutex> lock(mutex_);
  group->closed_ = true;
  // One at a time: finishing a job runs code that is not ours, which must not find the lock taken.
  for (;;) {
    const auto at = std::find_if(queue_.begin(), queue_.end(),
                                 [group](const auto& job) { return job->group_ == group; });
    if (at == queue_.end()) break;
    std::unique_ptr<Job> job = std::move(*at);
    queue_.erase(at);
    lock.unlock();
    const Error error(ErrorCode::kCancelled, "cancelled: its owner is shutting down");
    complete(std::move(job), &error);
    lock.lock();
  }
  if (running_ && running_->group_ == group) running_->cancel_->requested.store(1);
  idle_.wait(lock, [group] { return group->jobs_ == 0; });
}

void Engine::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    if (running_) running_->cancel_->requested.store(1);
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

}  // namespace heddle
