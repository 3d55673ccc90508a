// From JS values to what the C API takes. Every function throws ERR_ARGUMENT, naming the argument,
// what was expected and what was found.
#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "api.h"

namespace heddle::binding {

// A name for messages: "undefined", "a string", "a Float64Array" …
std::string describe(const Napi::Value& value);

[[noreturn]] void wrongArgument(const Napi::Value& value, const std::string& name,
                                const std::string& expected);

// An integer that a double holds exactly.
int64_t toInteger(const Napi::Value& value, const std::string& name);
std::vector<int64_t> toIntegers(const Napi::Value& value, const std::string& name);
std::string toText(const Napi::Value& value, const std::string& name);
Napi::Array toArray(const Napi::Value& value, const std::string& name);
// The elements of a JS array, all read before anything else is looked at: reading one may run JS
// code (a getter, a proxy), which could release a handle or detach a buffer.
std::vector<Napi::Value> toValues(const Napi::Value& value, const std::string& name);
HeddleDType toDType(const Napi::Value& value, const std::string& name);
HeddleFileDType toFileDType(const Napi::Value& value, const std::string& name);
HeddleForm toForm(const Napi::Value& value, const std::string& name);

// The memory behind a typed array: of this type, and backed by an ArrayBuffer that is neither
// detached nor shared nor resizable, so that it stays what it is as long as the caller does not
// return to JS.
struct Elements {
  void* data;
  size_t count;
};
Elements toElements(const Napi::Value& value, napi_typedarray_type type, const std::string& name);

// The typed array that carries elements of this dtype.
napi_typedarray_type arrayTypeOf(HeddleDType dtype);

}  // namespace heddle::binding
