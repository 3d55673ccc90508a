// createState and loadState.
#include <memory>

#include "binding/arguments.h"
#include "binding/environment.h"
#include "binding/functions.h"
#include "binding/handles.h"

namespace heddle::binding {
namespace {

class PendingLoad : public Pending {
 public:
  using Pending::Pending;
  ~PendingLoad() override { heddleReleaseState(state_); }

  static void loaded(void* self, HeddleState* state, const HeddleError* error) {
    PendingLoad* load = static_cast<PendingLoad*>(self);
    load->state_ = state;
    load->report(error);
  }

 protected:
  Napi::Value result(Napi::Env env) override {
    return StateHandle::wrap(env, std::exchange(state_, nullptr));
  }

 private:
  HeddleState* state_ = nullptr;
};

}  // namespace

Napi::Value createState(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const HeddleDType dtype = toDType(info[0], "dtype");
  const std::vector<int64_t> dims = toIntegers(info[1], "dims");
  Elements elements = {};
  if (!info[2].IsNull()) {
    elements = toElements(info[2], arrayTypeOf(dtype), "data");
    double expected = 1;
    for (int64_t dim : dims) expected *= static_cast<double>(dim);
    if (static_cast<double>(elements.count) != expected) {
      throwError(
          env, kHeddleShape,
          "data: expected as many elements as dims say, found " + std::to_string(elements.count));
    }
  }
  // An empty typed array may have no memory; zero elements are none either way.
  HeddleError error;
  HeddleState* state =
      heddleCreateState(dtype, dims.data(), static_cast<int>(dims.size()), elements.data, &error);
  if (!state) throwError(env, error);
  const Napi::Object handle = StateHandle::wrap(env, state);
  // Zeros take memory only where something is written over them: of a cache, mostly a small part.
  if (info[2].IsNull()) StateHandle::Unwrap(handle)->leaveUncounted();
  return handle;
}

Napi::Value loadState(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::vector<Napi::Value> sources = toValues(info[0], "sources");
  std::vector<std::string> paths(sources.size());
  std::vector<std::vector<int64_t>> dims(sources.size());
  std::vector<HeddleFileRange> ranges(sources.size());
  for (size_t i = 0; i < sources.size(); ++i) {
    if (!sources[i].IsObject()) wrongArgument(sources[i], "source", "an object");
    const Napi::Object source = sources[i].As<Napi::Object>();
    paths[i] = toText(source.Get("path"), "source.path");
    dims[i] = toIntegers(source.Get("dims"), "source.dims");
    ranges[i] = {paths[i].c_str(),
                 toInteger(source.Get("offset"), "source.offset"),
                 toInteger(source.Get("bytes"), "source.bytes"),
                 toFileDType(source.Get("dtype"), "source.dtype"),
                 dims[i].data(),
                 static_cast<int>(dims[i].size())};
  }
  const HeddleDType dtype = toDType(info[1], "dtype");
  const HeddleForm form = toForm(info[2], "form");
  Environment& environment = Environment::of(env);
  PendingLoad* pending = new PendingLoad(env);
  environment.add(pending);
  const Napi::Value promise = pending->promise();
  HeddleError error;
  if (!heddleLoadState(environment.group(), ranges.data(), ranges.size(), dtype, form,
                       PendingLoad::loaded, pending, &error)) {
    environment.refuse(pending, error);
  }
  return promise;
}

}  // namespace heddle::binding
