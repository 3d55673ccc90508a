// createPlan and run.
#include <string.h>

#include <memory>
#include <vector>

#include "binding/arguments.h"
#include "binding/environment.h"
#include "binding/functions.h"
#include "binding/handles.h"

namespace heddle::binding {
namespace {

// The outputs are JS arrays that no JS code can reach before the promise resolves: the engine
// thread writes straight into them.
class PendingRun : public Pending {
 public:
  PendingRun(Napi::Env env, Napi::Array outputs, size_t profileWords)
      : Pending(env),
        outputs_(Napi::Persistent(outputs.As<Napi::Object>())),
        times_(profileWords) {}

  double* times() { return times_.empty() ? nullptr : times_.data(); }
  void fillAtEnd(Napi::Value profile) { profile_ = Napi::Persistent(profile.As<Napi::Object>()); }

  static void done(void* self, const HeddleError* error) {
    static_cast<PendingRun*>(self)->report(error);
  }

 protected:
  Napi::Value result(Napi::Env) override {
    if (!profile_.IsEmpty()) {
      // JS could do anything with it in the meantime.
      const Elements target = toElements(profile_.Value(), napi_float64_array, "profile");
      if (target.count >= times_.size() && !times_.empty()) {
        memcpy(target.data, times_.data(), times_.size() * sizeof(double));
      }
    }
    return outputs_.Value();
  }

 private:
  Napi::ObjectReference outputs_, profile_;
  std::vector<double> times_;
};

std::vector<const void*> inputData(Napi::Env env, const std::vector<Napi::Value>& values,
                                   const HeddlePlan* plan, const std::vector<int64_t>& expected) {
  if (values.size() != expected.size()) {
    throwError(env, kHeddleArgument,
               "inputs: expected " + std::to_string(expected.size()) + ", found " +
                   std::to_string(values.size()));
  }
  std::vector<const void*> data(expected.size());
  for (uint32_t i = 0; i < data.size(); ++i) {
    const std::string name = "inputs[" + std::to_string(i) + "]";
    const HeddleDType dtype = heddlePlanInputDType(plan, static_cast<int>(i));
    const Elements elements = toElements(values[i], arrayTypeOf(dtype), name);
    if (static_cast<int64_t>(elements.count) != expected[i]) {
      throwError(env, kHeddleShape,
                 name + ": expected " + std::to_string(expected[i]) + " elements, found " +
                     std::to_string(elements.count));
    }
    data[i] = elements.data;
  }
  return data;
}

}  // namespace

Napi::Value createPlan(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::vector<Napi::Value> handles = toValues(info[1], "states");
  std::vector<HeddleState*> states(handles.size());
  for (size_t i = 0; i < states.size(); ++i) states[i] = StateHandle::from(handles[i], "states");
  const Elements words = toElements(info[0], napi_bigint64_array, "words");
  HeddleError error;
  HeddlePlan* plan = heddleCreatePlan(static_cast<const int64_t*>(words.data), words.count,
                                      states.data(), states.size(), &error);
  if (!plan) throwError(env, error);
  return PlanHandle::wrap(env, plan);
}

Napi::Value run(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::vector<int64_t> symbols = toIntegers(info[1], "symbols");
  const std::vector<Napi::Value> inputValues = toValues(info[2], "inputs");
  // From here to the copies that heddleRunPlan makes, nothing runs that JS code could have
  // replaced.
  HeddleCancel* cancel =
      info[3].IsNull() || info[3].IsUndefined() ? nullptr : CancelHandle::from(info[3], "cancel");
  HeddlePlan* plan = PlanHandle::from(info[0], "plan");
  HeddlePlanInfo facts;
  heddleGetPlanInfo(plan, &facts);
  std::vector<int64_t> inputSizes(static_cast<size_t>(facts.inputs));
  std::vector<int64_t> outputSizes(static_cast<size_t>(facts.outputs));
  HeddleError error;
  if (!heddlePlanSizes(plan, symbols.data(), symbols.size(), inputSizes.data(), outputSizes.data(),
                       &error)) {
    throwError(env, error);
  }

  const bool profiled = !info[4].IsNull() && !info[4].IsUndefined();
  const size_t profileWords = profiled ? 2 * static_cast<size_t>(facts.nodes) : 0;
  if (profiled && toElements(info[4], napi_float64_array, "profile").count < profileWords) {
    throwError(env, kHeddleArgument,
               "profile: expected room for " + std::to_string(profileWords) + " numbers");
  }

  Environment& environment = Environment::of(env);
  Napi::Array outputs = Napi::Array::New(env, outputSizes.size());
  std::vector<float*> outputData(outputSizes.size());
  for (uint32_t i = 0; i < outputData.size(); ++i) {
    const size_t count = static_cast<size_t>(outputSizes[i]);
    const Napi::ArrayBuffer buffer = environment.newArrayBuffer(env, count * sizeof(float));
    outputData[i] = static_cast<float*>(const_cast<Napi::ArrayBuffer&>(buffer).Data());
    outputs[i] = Napi::Float32Array::New(env, count, buffer, 0);
  }

  const std::vector<const void*> inputs = inputData(env, inputValues, plan, inputSizes);
  PendingRun* pending = new PendingRun(env, outputs, profileWords);
  environment.add(pending);
  if (profiled) pending->fillAtEnd(info[4]);
  const Napi::Value promise = pending->promise();
  const HeddleRun request = {symbols.data(),
                             symbols.size(),
                             inputs.data(),
                             outputData.data(),
                             cancel,
                             pending->times(),
                             0};
  if (!heddleRunPlan(environment.group(), plan, &request, PendingRun::done, pending, &error)) {
    environment.refuse(pending, error);
  }
  return promise;
}

}  // namespace heddle::binding
