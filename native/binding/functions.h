// The functions that the addon exports; what they take and give is said in lib/native.ts.
#pragma once

#include <napi.h>

namespace heddle::binding {

Napi::Value createState(const Napi::CallbackInfo& info);
Napi::Value loadState(const Napi::CallbackInfo& info);
Napi::Value createPlan(const Napi::CallbackInfo& info);
Napi::Value run(const Napi::CallbackInfo& info);

}  // namespace heddle::binding
