// What every kernel takes, in checkable form: one line a kernel (signatures.cc), as the table in
// kernels/README.md says it for people.
//
//   x f32[R,K], weight packed[N,K], bias? f32[N] -> f32[R,N]
//
// Outputs after the first have names too, and may be optional: what nobody reads is not computed.
// An operand is `name type[dims]`; `?` marks an optional one. A letter stands for a dim, the same
// one wherever it appears; `S+1` is one more than S; `[*]` is any shape, the same wherever it
// appears; `[?]` is any shape. Types:
//
//   f32           float32
//   any           float32, float16, bfloat16 or int8
//   i8            int8
//   blocks        int8 in blocks of 32 of a row
//   packed        a state packed for `linear` and its like, of any of the four or int4
//   index<V>      int32 of the run's input, each 0 ≤ value < V; V is a letter or a number
//   offsets<R>    int32 of the run's input, from 0 to R, never decreasing
//   state         (output only) float32, a state that the node writes
//   pages         (output only) the same of float32, bfloat16 or int8
#pragma once

#include <stdint.h>

#include <string>
#include <vector>

#include "kernels/kernel.h"

namespace heddle {

enum class OperandType {
  kFloat32,
  kAnyFloat,
  kInt8,
  kInt8Blocks,
  kPacked,
  kIndex,
  kOffsets,
  kState,
  kPages
};

struct DimPattern {
  int letter;  // 0 … 25
  int plus;    // 0 or 1
};

struct OperandPattern {
  std::string name;
  bool optional = false;
  OperandType type = OperandType::kFloat32;
  int boundLetter = -1;    // of index<…> and offsets<…>
  int64_t bound = 0;       // where the bound is a number
  bool sameShape = false;  // [*]
  bool anyShape = false;   // [?]
  std::vector<DimPattern> dims;
};

struct IntRange {
  const char* name;
  int64_t low, high;
};

// A node as the checks see it. While a plan is made, dims are as in plan_format.h (negative: a
// symbol) and data pointers are null or not, nothing more; when a run begins, they are real.
struct NodeView {
  int64_t node;  // its number in the plan
  const char* kernel;
  const struct Signature* signature;
  const Tensor* inputs;
  const Tensor* outputs;
  const int64_t* ints;
  const double* floats;
};

// Throws Error with the node, the operand, what was expected and what was found.
using NodeCheck = void (*)(const NodeView& view);

struct Signature {
  const char* kernel;
  std::vector<OperandPattern> inputs, outputs;
  std::vector<IntRange> ints;
  std::vector<const char*> floats;
  bool inPlace;        // the output may be exactly the first input's memory
  NodeCheck onCreate;  // what the notation cannot say about shapes and parameters; or null
  NodeCheck onRun;     // the same about values; or null
};

// Checks that the dims of a node's operands fit its signature, and each other, symbolically: two
// different symbols never fit. Returns true where something can only be told from actual sizes or
// values; then checkAtRun has to be called when a run begins.
bool checkShapes(const NodeView& view);

// Checks actual sizes, the values of index<…> and offsets<…>, and the kernel's own rule.
void checkAtRun(const NodeView& view);

// "[512, s0]": dims as messages show them.
std::string dimsText(const Tensor& tensor);

// Throws kShape, with the node, `what` of it was expected and what was found.
[[noreturn]] void fail(const NodeView& view, const char* what, const std::string& expected,
                       const std::string& found);

// Throws unless the last dim is the expected one.
void expectColumns(const NodeView& view, const char* name, const Tensor& tensor, int64_t expected);

// Null for a kernel that has no line in the table. Throws what is wrong with the table.
const Signature* findSignature(const char* kernel);
int signatureCount();
const Signature& signatureAt(int index);

}  // namespace heddle
