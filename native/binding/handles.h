// The JS objects that hold native memory: states, plans, cancel handles.
#pragma once

#include <napi.h>

#include "api.h"

namespace heddle::binding {

// One native handle inside one JS object, given back by release(), or else by the garbage
// collector. Methods are bound to their class by V8; an object that comes as an argument is told by
// its tag.
template <typename Self, typename Native>
class Handle : public Napi::ObjectWrap<Self> {
 public:
  explicit Handle(const Napi::CallbackInfo& info);
  ~Handle() override { give(); }

  // Throws ERR_ARGUMENT where `value` is something else, ERR_DISPOSED where it has been released.
  static Native* from(const Napi::Value& value, const char* argument);
  // Takes `native` over, also where it throws.
  static Napi::Object wrap(Napi::Env env, Native* native);
  // V8 is not told of its bytes.
  void leaveUncounted();

 protected:
  Native* alive(Napi::Env env) const;
  void release(const Napi::CallbackInfo&) { give(); }

 private:
  void give();

  Native* native_ = nullptr;
  int64_t accounted_ = 0;  // bytes
};

class StateHandle : public Handle<StateHandle, HeddleState> {
 public:
  using Handle::Handle;
  static Napi::Function define(Napi::Env env);
  static constexpr const char* kName = "NativeState";
  static constexpr napi_type_tag kTag = {0x4845444453544154, 0x9d3c1f7a52b84e60};

 private:
  friend class Handle<StateHandle, HeddleState>;
  Napi::Value read(const Napi::CallbackInfo& info);
  static int64_t describe(Napi::Object self, const HeddleState* state);
};

class PlanHandle : public Handle<PlanHandle, HeddlePlan> {
 public:
  using Handle::Handle;
  static Napi::Function define(Napi::Env env);
  static constexpr const char* kName = "NativePlan";
  static constexpr napi_type_tag kTag = {0x48454444504c414e, 0x1be7640c93d2a85f};

 private:
  friend class Handle<PlanHandle, HeddlePlan>;
  static int64_t describe(Napi::Object self, const HeddlePlan* plan);
};

class CancelHandle : public Handle<CancelHandle, HeddleCancel> {
 public:
  using Handle::Handle;
  static Napi::Function define(Napi::Env env);
  static constexpr const char* kName = "NativeCancel";
  static constexpr napi_type_tag kTag = {0x4845444443414e43, 0x70f2d58e3a916cb4};

 private:
  friend class Handle<CancelHandle, HeddleCancel>;
  void cancel(const Napi::CallbackInfo& info);
  static int64_t describe(Napi::Object, const HeddleCancel*) { return 0; }
};

}  // namespace heddle::binding
