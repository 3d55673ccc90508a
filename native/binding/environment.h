// What one Node environment (the main thread, or one worker) has of the addon: its classes, its
// jobs, and the channel through which the engine thread tells it that a job is done. Nothing here
// is global.
#pragma once

#include <napi.h>

#include <unordered_set>

#include "api.h"

namespace heddle::binding {

// Throws `message` as a JS Error whose `code` is the name of `code`.
[[noreturn]] void throwError(Napi::Env env, HeddleCode code, const std::string& message);
[[noreturn]] void throwError(Napi::Env env, const HeddleError& error);
Napi::Error makeError(Napi::Env env, const HeddleError& error);

class Environment;

// A job whose promise is open. Made and deleted on the JS thread; the engine thread fills in
// `error`.
class Pending {
 public:
  explicit Pending(Napi::Env env);
  virtual ~Pending() = default;

  Napi::Value promise() const { return settlers_.Get("promise"); }

  // Engine thread: takes the outcome along and wakes the JS thread.
  void report(const HeddleError* error);

 protected:
  // JS thread: what the promise resolves to.
  virtual Napi::Value result(Napi::Env env) = 0;

 private:
  friend class Environment;
  void settle(Napi::Env env);

  // A promise with its two functions and not a napi_deferred, which is freed only by settling it:
  // in a worker that is being terminated, that is not possible any more.
  Napi::ObjectReference settlers_;
  Environment* environment_;
  bool failed_ = false;
  HeddleError error_;
};

class Environment {
 public:
  explicit Environment(Napi::Env env);
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  HeddleGroup* group() const { return group_; }

  // Between these two, a job keeps the event loop alive; an idle engine does not keep the process
  // alive.
  void add(Pending* pending);     // owns it from here on
  void remove(Pending* pending);  // deletes it
  // Rejects the promise of a job that was added but could not be queued.
  void refuse(Pending* pending, const HeddleError& error);

  // A zeroed ArrayBuffer; throws ERR_MEMORY where there is no room for it.
  Napi::ArrayBuffer newArrayBuffer(Napi::Env env, size_t bytes) const;
  bool isResizable(const Napi::Value& arrayBuffer) const;

  Napi::FunctionReference stateClass, planClass, cancelClass;
  // What the next object of one of these classes is to wrap: only native code makes them.
  void* incoming = nullptr;

 private:
  friend class Pending;
  void shutDown();
  static void settle(napi_env env, napi_value function, void* context, void* data);

  napi_env env_;
  HeddleGroup* group_ = nullptr;
  napi_threadsafe_function channel_ = nullptr;
  std::unordered_set<Pending*> pending_;
  bool closed_ = false;
  Napi::FunctionReference arrayBufferClass_, resizableGetter_, newPromise_;
};

}  // namespace heddle::binding
