#include "binding/handles.h"

#include <utility>

#include "binding/environment.h"

namespace heddle::binding {
namespace {

Napi::FunctionReference& classOf(Environment& environment, const StateHandle*) {
  return environment.stateClass;
}
Napi::FunctionReference& classOf(Environment& environment, const PlanHandle*) {
  return environment.planClass;
}
Napi::FunctionReference& classOf(Environment& environment, const CancelHandle*) {
  return environment.cancelClass;
}

void releaseNative(HeddleState* state) { heddleReleaseState(state); }
void releaseNative(HeddlePlan* plan) { heddleReleasePlan(plan); }
void releaseNative(HeddleCancel* cancel) { heddleReleaseCancel(cancel); }

// V8 looks for garbage at once when it hears of 64 MB more, and again at the next: in large
// amounts, since a model of many tensors would else be interrupted by that all the while it loads.
// A thread has one environment, and this must outlive it.
void account(Napi::Env env, int64_t bytes) {
  constexpr int64_t kAmount = int64_t{512} << 20;
  static thread_local int64_t unreported = 0;
  unreported += bytes;
  if (unreported > -kAmount && unreported < kAmount) return;
  Napi::MemoryManagement::AdjustExternalMemory(env, std::exchange(unreported, 0));
}

void defineNumber(Napi::Object object, const char* name, double value) {
  object.DefineProperty(Napi::PropertyDescriptor::Value(
      name, Napi::Number::New(object.Env(), value), napi_enumerable));
}

}  // namespace

template <typename Self, typename Native>
Handle<Self, Native>::Handle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Self>(info) {
  Environment& environment = Environment::of(info.Env());
  if (!environment.incoming) {
    throwError(info.Env(), kHeddleArgument,
               std::string(Self::kName) + " cannot be constructed from JavaScript");
  }
  Napi::Object self = info.This().As<Napi::Object>();
  self.TypeTag(&Self::kTag);
  native_ = static_cast<Native*>(std::exchange(environment.incoming, nullptr));
  accounted_ = Self::describe(self, native_);
  account(info.Env(), accounted_);
}

template <typename Self, typename Native>
Native* Handle<Self, Native>::from(const Napi::Value& value, const char* argument) {
  Napi::Env env = value.Env();
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&Self::kTag)) {
    throwError(env, kHeddleArgument, std::string(argument) + ": expected a " + Self::kName);
  }
  return Napi::ObjectWrap<Self>::Unwrap(value.As<Napi::Object>())->alive(env);
}

template <typename Self, typename Native>
Napi::Object Handle<Self, Native>::wrap(Napi::Env env, Native* native) {
  Environment& environment = Environment::of(env);
  environment.incoming = native;
  try {
    return classOf(environment, static_cast<Self*>(nullptr)).New({});
  } catch (...) {
    // Where the constructor did not get to take it.
    if (void* left = std::exchange(environment.incoming, nullptr)) {
      releaseNative(static_cast<Native*>(left));
    }
    throw;
  }
}

template <typename Self, typename Native>
void Handle<Self, Native>::leaveUncounted() {
  account(this->Env(), -std::exchange(accounted_, 0));
}

template <typename Self, typename Native>
Native* Handle<Self, Native>::alive(Napi::Env env) const {
  if (!native_) throwError(env, kHeddleDisposed, std::string(Self::kName) + " has been released");
  return native_;
}

template <typename Self, typename Native>
void Handle<Self, Native>::give() {
  if (!native_) return;
  releaseNative(std::exchange(native_, nullptr));
  leaveUncounted();
}

template class Handle<StateHandle, HeddleState>;
template class Handle<PlanHandle, HeddlePlan>;
template class Handle<CancelHandle, HeddleCancel>;

Napi::Function StateHandle::define(Napi::Env env) {
  return DefineClass(env, kName,
                     {InstanceMethod("release", &StateHandle::release),
                      InstanceMethod("read", &StateHandle::read)});
}

int64_t StateHandle::describe(Napi::Object self, const HeddleState* state) {
  const int64_t bytes = heddleStateBytes(state);
  defineNumber(self, "bytes", static_cast<double>(bytes));
  return bytes;
}

Napi::Value StateHandle::read(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const HeddleState* state = alive(env);
  const HeddleDType dtype = heddleStateDType(state);
  const bool half = dtype == kHeddleFloat16 || dtype == kHeddleBFloat16;
  const size_t count = static_cast<size_t>(heddleStateElements(state));
  const size_t bytes = count * (half ? 2 : 4);
  Napi::ArrayBuffer buffer = Environment::of(env).newArrayBuffer(env, bytes);
  HeddleError error;
  if (!heddleReadState(state, buffer.Data(), bytes, &error)) throwError(env, error);
  if (half) return Napi::Uint16Array::New(env, count, buffer, 0);
  if (dtype == kHeddleInt32) return Napi::Int32Array::New(env, count, buffer, 0);
  return Napi::Float32Array::New(env, count, buffer, 0);
}

Napi::Function PlanHandle::define(Napi::Env env) {
  return DefineClass(env, kName, {InstanceMethod("release", &PlanHandle::release)});
}

int64_t PlanHandle::describe(Napi::Object self, const HeddlePlan* plan) {
  HeddlePlanInfo info;
  heddleGetPlanInfo(plan, &info);
  defineNumber(self, "arenaBytes", static_cast<double>(info.arenaBytes));
  // The arena belongs to the engine's pool. This is about what the nodes and values themselves
  // take.
  constexpr int64_t kBytesPerNode = 1024;
  return info.nodes * kBytesPerNode;
}

Napi::Function CancelHandle::define(Napi::Env env) {
  return DefineClass(env, kName, {InstanceMethod("cancel", &CancelHandle::cancel)});
}

void CancelHandle::cancel(const Napi::CallbackInfo& info) { heddleCancel(alive(info.Env())); }

}  // namespace heddle::binding
