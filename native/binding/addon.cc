// The module: facts, switches, and the list of what it exports.
#include <napi.h>

#include "binding/arguments.h"
#include "binding/environment.h"
#include "binding/functions.h"
#include "binding/handles.h"

namespace heddle::binding {
namespace {

void start(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string isa;
  int64_t threads = 0;
  if (info[0].IsObject()) {
    const Napi::Object options = info[0].As<Napi::Object>();
    const Napi::Value wantedIsa = options.Get("isa"), wantedThreads = options.Get("threads");
    if (!wantedIsa.IsUndefined()) isa = toText(wantedIsa, "isa");
    if (!wantedThreads.IsUndefined()) threads = toInteger(wantedThreads, "threads");
    if (!wantedThreads.IsUndefined() && (threads < 1 || threads > 256)) {
      wrongArgument(wantedThreads, "threads", "an integer from 1 to 256");
    }
  }
  HeddleError error;
  if (!heddleStart(isa.c_str(), static_cast<int>(threads), &error)) throwError(env, error);
}

Napi::Value info(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  HeddleInfo facts;
  HeddleError error;
  if (!heddleGetInfo(&facts, &error)) throwError(env, error);
  Napi::Object result = Napi::Object::New(env);
  Napi::Array isas = Napi::Array::New(env);
  for (int i = 0; i < facts.isaCount; ++i) isas[static_cast<uint32_t>(i)] = facts.isas[i];
  result["isa"] = facts.isa;
  result["isas"] = isas;
  result["threads"] = static_cast<double>(facts.threads);
  result["openmp"] = facts.openmp;
  result["version"] = HEDDLE_VERSION;
  return result;
}

Napi::Value kernels(const Napi::CallbackInfo& call) {
  Napi::Array names = Napi::Array::New(call.Env());
  const int count = heddleKernelCount();
  for (int i = 0; i < count; ++i) names[static_cast<uint32_t>(i)] = heddleKernelName(i);
  return names;
}

void setThreads(const Napi::CallbackInfo& call) {
  const int64_t threads = toInteger(call[0], "threads");
  HeddleError error;
  if (threads < 1 || threads > 256) wrongArgument(call[0], "threads", "an integer from 1 to 256");
  if (!heddleSetThreads(static_cast<int>(threads), &error)) throwError(call.Env(), error);
}

Napi::Value counters(const Napi::CallbackInfo& call) {
  HeddleCounters all;
  heddleGetCounters(&all);
  Napi::Object result = Napi::Object::New(call.Env());
  result["runs"] = static_cast<double>(all.runs);
  result["nodes"] = static_cast<double>(all.nodes);
  result["states"] = static_cast<double>(all.states);
  result["stateBytes"] = static_cast<double>(all.stateBytes);
  result["plans"] = static_cast<double>(all.plans);
  result["packs"] = static_cast<double>(all.packs);
  return result;
}

Napi::Value createCancel(const Napi::CallbackInfo& call) {
  HeddleError error;
  HeddleCancel* cancel = heddleCreateCancel(&error);
  if (!cancel) throwError(call.Env(), error);
  return CancelHandle::wrap(call.Env(), cancel);
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  Environment* environment = new Environment(env);
  env.SetInstanceData(environment);
  environment->stateClass = Napi::Persistent(StateHandle::define(env));
  environment->planClass = Napi::Persistent(PlanHandle::define(env));
  environment->cancelClass = Napi::Persistent(CancelHandle::define(env));
  exports["start"] = Napi::Function::New<start>(env, "start");
  exports["info"] = Napi::Function::New<info>(env, "info");
  exports["kernels"] = Napi::Function::New<kernels>(env, "kernels");
  exports["setThreads"] = Napi::Function::New<setThreads>(env, "setThreads");
  exports["counters"] = Napi::Function::New<counters>(env, "counters");
  exports["createState"] = Napi::Function::New<createState>(env, "createState");
  exports["loadState"] = Napi::Function::New<loadState>(env, "loadState");
  exports["createPlan"] = Napi::Function::New<createPlan>(env, "createPlan");
  exports["createCancel"] = Napi::Function::New<createCancel>(env, "createCancel");
  exports["run"] = Napi::Function::New<run>(env, "run");
  return exports;
}

}  // namespace
}  // namespace heddle::binding

// The macro wants a name without a namespace.
static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  return heddle::binding::initialise(env, exports);
}

NODE_API_MODULE(heddle, initialise)
