#include "binding/arguments.h"

#include <math.h>

#include "binding/environment.h"

namespace heddle::binding {
namespace {

const char* arrayName(napi_typedarray_type type) {
  switch (type) {
    case napi_int8_array:
      return "Int8Array";
    case napi_uint8_array:
      return "Uint8Array";
    case napi_uint8_clamped_array:
      return "Uint8ClampedArray";
    case napi_int16_array:
      return "Int16Array";
    case napi_uint16_array:
      return "Uint16Array";
    case napi_int32_array:
      return "Int32Array";
    case napi_uint32_array:
      return "Uint32Array";
    case napi_float32_array:
      return "Float32Array";
    case napi_float64_array:
      return "Float64Array";
    case napi_bigint64_array:
      return "BigInt64Array";
    case napi_biguint64_array:
      return "BigUint64Array";
    default:
      return "typed array of another type";
  }
}

template <size_t N>
int indexIn(const char* const (&names)[N], const Napi::Value& value, const std::string& name) {
  if (value.IsString()) {
    const std::string text = value.As<Napi::String>();
    for (size_t i = 0; i < N; ++i) {
      if (text == names[i]) return static_cast<int>(i);
    }
  }
  std::string expected = "one of";
  for (const char* each : names) expected += std::string(" ") + each;
  wrongArgument(value, name, expected);
}

}  // namespace

std::string describe(const Napi::Value& value) {
  if (value.IsEmpty() || value.IsUndefined()) return "undefined";
  if (value.IsNull()) return "null";
  if (value.IsString()) return "'" + value.As<Napi::String>().Utf8Value().substr(0, 100) + "'";
  if (value.IsNumber()) return value.ToString().Utf8Value();
  if (value.IsBoolean()) return "a boolean";
  if (value.IsBigInt()) return "a bigint";
  if (value.IsSymbol()) return "a symbol";
  if (value.IsFunction()) return "a function";
  if (value.IsArray()) return "an array";
  if (value.IsTypedArray()) {
    return std::string("a ") + arrayName(value.As<Napi::TypedArray>().TypedArrayType());
  }
  return "an object";
}

void wrongArgument(const Napi::Value& value, const std::string& name, const std::string& expected) {
  throwError(value.Env(), kHeddleArgument,
             name + ": expected " + expected + ", found " + describe(value));
}

int64_t toInteger(const Napi::Value& value, const std::string& name) {
  constexpr double kLargest = 9007199254740991;  // Number.MAX_SAFE_INTEGER
  if (value.IsNumber()) {
    const double number = value.As<Napi::Number>().DoubleValue();
    if (number == floor(number) && fabs(number) <= kLargest) return static_cast<int64_t>(number);
  }
  wrongArgument(value, name, "a safe integer");
}

std::vector<int64_t> toIntegers(const Napi::Value& value, const std::string& name) {
  const std::vector<Napi::Value> values = toValues(value, name);
  std::vector<int64_t> result(values.size());
  for (size_t i = 0; i < result.size(); ++i) {
    result[i] = toInteger(values[i], name + "[" + std::to_string(i) + "]");
  }
  return result;
}

std::string toText(const Napi::Value& value, const std::string& name) {
  if (!value.IsString()) wrongArgument(value, name, "a string");
  std::string text = value.As<Napi::String>();
  if (text.find('\0') != std::string::npos) wrongArgument(value, name, "a string without NUL");
  return text;
}

Napi::Array toArray(const Napi::Value& value, const std::string& name) {
  if (!value.IsArray()) wrongArgument(value, name, "an array");
  return value.As<Napi::Array>();
}

std::vector<Napi::Value> toValues(const Napi::Value& value, const std::string& name) {
  constexpr uint32_t kMost = 1 << 20;  // far beyond any plan; an array may claim 2^32 - 1 holes
  const Napi::Array array = toArray(value, name);
  const uint32_t length = array.Length();
  if (length > kMost) wrongArgument(value, name, "at most " + std::to_string(kMost) + " elements");
  std::vector<Napi::Value> values(length);
  for (uint32_t i = 0; i < length; ++i) values[i] = array[i];
  return values;
}

HeddleDType toDType(const Napi::Value& value, const std::string& name) {
  static const char* const names[] = {"float32", "float16", "bfloat16", "int32", "int8", "int4"};
  return static_cast<HeddleDType>(indexIn(names, value, name));
}

HeddleFileDType toFileDType(const Napi::Value& value, const std::string& name) {
  static const char* const names[] = {"F64", "F32", "F16", "BF16", "I64",
                                      "I32", "I16", "I8",  "U8",   "BOOL"};
  return static_cast<HeddleFileDType>(indexIn(names, value, name));
}

HeddleForm toForm(const Napi::Value& value, const std::string& name) {
  static const char* const names[] = {"plain", "packed", "packedTransposed"};
  return static_cast<HeddleForm>(indexIn(names, value, name));
}

Elements toElements(const Napi::Value& value, napi_typedarray_type type, const std::string& name) {
  Napi::Env env = value.Env();
  const std::string expected = std::string("a ") + arrayName(type);
  if (!value.IsTypedArray()) wrongArgument(value, name, expected);
  napi_typedarray_type found;
  Elements elements = {};
  napi_value buffer;
  const napi_status status = napi_get_typedarray_info(env, value, &found, &elements.count,
                                                      &elements.data, &buffer, nullptr);
  if (status != napi_ok || found != type) wrongArgument(value, name, expected);
  auto refuse = [&](const char* kind) {
    throwError(env, kHeddleArgument,
               name + ": expected " + expected + " over an ArrayBuffer of its own, found " + kind);
  };
  bool isArrayBuffer = false, isDetached = false;
  napi_is_arraybuffer(env, buffer, &isArrayBuffer);
  if (!isArrayBuffer) refuse("one over a SharedArrayBuffer");
  napi_is_detached_arraybuffer(env, buffer, &isDetached);
  if (isDetached) refuse("one over a detached ArrayBuffer");
  if (Environment::of(env).isResizable(Napi::Value(env, buffer))) {
    refuse("one over a resizable ArrayBuffer");
  }
  return elements;
}

napi_typedarray_type arrayTypeOf(HeddleDType dtype) {
  switch (dtype) {
    case kHeddleFloat32:
    case kHeddleInt8:  // quantised as it is copied
    case kHeddleInt4:
      return napi_float32_array;
    case kHeddleInt32:
      return napi_int32_array;
    default:
      return napi_uint16_array;
  }
}

}  // namespace heddle::binding
