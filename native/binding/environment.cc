#include "binding/environment.h"

namespace heddle::binding {

Napi::Error makeError(Napi::Env env, const HeddleError& error) {
  Napi::Error result = Napi::Error::New(env, error.message);
  result.Set("code", Napi::String::New(env, heddleCodeName(error.code)));
  // As the DOM names it, for programs that look for an abort.
  if (error.code == kHeddleCancelled) result.Set("name", Napi::String::New(env, "AbortError"));
  return result;
}

void throwError(Napi::Env env, const HeddleError& error) { throw makeError(env, error); }

void throwError(Napi::Env env, HeddleCode code, const std::string& message) {
  Napi::Error result = Napi::Error::New(env, message);
  result.Set("code", Napi::String::New(env, heddleCodeName(code)));
  throw result;
}

void Pending::report(const HeddleError* error) {
  failed_ = error != nullptr;
  if (error) error_ = *error;
  // Refused only while the environment goes away; then shutDown() deletes this.
  napi_call_threadsafe_function(environment_->channel_, this, napi_tsfn_nonblocking);
}

Pending::Pending(Napi::Env env) : environment_(&Environment::of(env)) {
  settlers_ = Napi::Persistent(
      environment_->newPromise_.Call(std::initializer_list<napi_value>{}).As<Napi::Object>());
}

void Pending::settle(Napi::Env env) {
  auto call = [this](const char* name, Napi::Value value) {
    settlers_.Get(name).As<Napi::Function>().Call({value});
  };
  // JS refuses everything while its worker is being terminated: then nobody waits any more.
  try {
    if (failed_) return call("reject", makeError(env, error_).Value());
    Napi::Value value;
    try {
      value = result(env);
    } catch (const Napi::Error& error) {
      return call("reject", error.Value());
    }
    call("resolve", value);
  } catch (const Napi::Error&) {
  }
}

Environment::Environment(Napi::Env env) : env_(env) {
  const Napi::Object global = env.Global();
  const Napi::Function arrayBuffer = global.Get("ArrayBuffer").As<Napi::Function>();
  arrayBufferClass_ = Napi::Persistent(arrayBuffer);
  const Napi::Function describe =
      global.Get("Object").As<Napi::Object>().Get("getOwnPropertyDescriptor").As<Napi::Function>();
  const Napi::Value resizable =
      describe.Call({arrayBuffer.Get("prototype"), Napi::String::New(env, "resizable")});
  if (resizable.IsObject()) {
    resizableGetter_ =
        Napi::Persistent(resizable.As<Napi::Object>().Get("get").As<Napi::Function>());
  }

  newPromise_ = Napi::Persistent(
      env.RunScript("(() => { const s = {}; s.promise = new Promise((resolve, reject) => {"
                    " s.resolve = resolve; s.reject = reject; }); return s; })")
          .As<Napi::Function>());

  HeddleError error;
  group_ = heddleOpenGroup(&error);
  if (!group_) throwError(env, error);
  const napi_status status =
      napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "heddle"), 0, 1,
                                      nullptr, nullptr, this, settle, &channel_);
  if (status != napi_ok) {
    heddleCloseGroup(group_);
    throw Napi::Error::New(env);
  }
  napi_unref_threadsafe_function(env, channel_);
  // Hooks run last first: this one, added after the channel's own, finds the channel open.
  napi_add_env_cleanup_hook(
      env, [](void* self) { static_cast<Environment*>(self)->shutDown(); }, this);
}

void Environment::shutDown() {
  closed_ = true;
  heddleCloseGroup(group_);
  group_ = nullptr;
  for (Pending* pending : pending_) delete pending;
  pending_.clear();
  for (Napi::FunctionReference* reference : {&stateClass, &planClass, &cancelClass,
                                             &arrayBufferClass_, &resizableGetter_, &newPromise_}) {
    reference->Reset();
  }
}

void Environment::add(Pending* pending) {
  if (pending_.empty()) napi_ref_threadsafe_function(env_, channel_);
  pending_.insert(pending);
}

void Environment::remove(Pending* pending) {
  pending_.erase(pending);
  if (pending_.empty()) napi_unref_threadsafe_function(env_, channel_);
  delete pending;
}

void Environment::refuse(Pending* pending, const HeddleError& error) {
  pending->failed_ = true;
  pending->error_ = error;
  pending->settle(env_);
  remove(pending);
}

// JS thread, from the event loop. Without an environment, the queue is only being emptied.
void Environment::settle(napi_env env, napi_value, void* context, void* data) {
  if (!env) return;
  Environment* self = static_cast<Environment*>(context);
  if (self->closed_) return;
  Pending* pending = static_cast<Pending*>(data);
  const Napi::HandleScope scope(env);
  pending->settle(env);
  self->remove(pending);
}

Napi::ArrayBuffer Environment::newArrayBuffer(Napi::Env env, size_t bytes) const {
  // The constructor throws where napi_create_arraybuffer would end the process.
  try {
    const Napi::Value size = Napi::Number::New(env, static_cast<double>(bytes));
    return arrayBufferClass_.New({size}).As<Napi::ArrayBuffer>();
  } catch (const Napi::Error&) {
    throwError(env, kHeddleMemory,
               "cannot allocate an output of " + std::to_string(bytes) + " bytes");
  }
}

bool Environment::isResizable(const Napi::Value& arrayBuffer) const {
  if (resizableGetter_.IsEmpty()) return false;
  return resizableGetter_.Call(arrayBuffer, std::vector<napi_value>{}).ToBoolean();
}

}  // namespace heddle::binding
