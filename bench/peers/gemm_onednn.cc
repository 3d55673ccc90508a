// oneDNN as a peer: its matmul primitive with the weight packed beforehand in the layout that it asks for, in float32,
// bfloat16 and int8, and its sgemm, which packs in every call. int8 pays for quantising A (int8_rows.h), as Heddle does.
#include <dnnl.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "gemm_peer.h"
#include "int8_rows.h"

namespace {

using dnnl::matmul;
using dnnl::memory;
using Tag = memory::format_tag;
using Type = memory::data_type;

dnnl::engine& cpu() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& stream() {
  static dnnl::stream made(cpu());
  return made;
}

struct Matmul {
  matmul primitive;
  std::unordered_map<int, memory> arguments;

  void operator()() {
    primitive.execute(stream(), arguments);
    stream().wait();
  }
};

memory::desc matrix(int rows, int columns, Type type, Tag tag) {
  return {{rows, columns}, type, tag};
}

memory converted(memory from, const memory::desc& layout) {
  memory to(layout, cpu());
  dnnl::reorder(from, to).execute(stream(), from, to);
  stream().wait();
  return to;
}

// One of the ways of the present product.
std::vector<Matmul> primitives;
Int8Rows quantized;
std::vector<int32_t> sums;  // of int8 products, before they are scaled

constexpr int kBlock = 64;  // rows whose sums are scaled while they are in a cache

// A and the weight in `type`, the result in `to`; with the weight in the layout that the primitive likes best.
void addPacked(const Product& p, Type type, Type to) {
  const auto x = matrix(p.m, p.k, type, Tag::ab), y = matrix(p.m, p.n, to, Tag::ab);
  const matmul::primitive_desc chosen({x, matrix(p.k, p.n, type, Tag::any), y}, cpu());
  const memory a(matrix(p.m, p.k, Type::f32, Tag::ab), cpu(), p.a);
  const memory w(matrix(p.k, p.n, Type::f32, Tag::ba), cpu(), p.b);
  primitives.push_back({matmul(chosen),
                        {{DNNL_ARG_SRC, converted(a, x)},
                         {DNNL_ARG_WEIGHTS, converted(w, chosen.weights_desc())},
                         {DNNL_ARG_DST, memory(y, cpu())}}});
}

// Neither side packed.
void addPlain(const Product& p) {
  const auto a = matrix(p.m, p.k, Type::f32, p.form == kTN ? Tag::ba : Tag::ab);
  const auto b = matrix(p.k, p.n, Type::f32, p.form == kNT ? Tag::ba : Tag::ab);
  const auto c = matrix(p.m, p.n, Type::f32, Tag::ab);
  primitives.push_back({matmul(matmul::primitive_desc({a, b, c}, cpu())),
                        {{DNNL_ARG_SRC, memory(a, cpu(), p.a)},
                         {DNNL_ARG_WEIGHTS, memory(b, cpu(), p.b)},
                         {DNNL_ARG_DST, memory(c, cpu(), p.c)}}});
}

// Sums of u8·s8 in int32, so many rows at a time.
void addInt8(const Product& p, int rows) {
  const auto x = matrix(rows, p.k, Type::u8, Tag::ab), y = matrix(rows, p.n, Type::s32, Tag::ab);
  const matmul::primitive_desc chosen({x, matrix(p.k, p.n, Type::s8, Tag::any), y}, cpu());
  const memory w(matrix(p.k, p.n, Type::s8, Tag::ba), cpu(), quantized.weight.data());
  primitives.push_back({matmul(chosen),
                        {{DNNL_ARG_SRC, memory(x, cpu(), quantized.rows.data())},
                         {DNNL_ARG_WEIGHTS, converted(w, chosen.weights_desc())},
                         {DNNL_ARG_DST, memory(y, cpu(), sums.data())}}});
}

int prepare(const Product* p) {
  primitives.clear();
  try {
    switch (p->dtype) {
      case kFloat32:
        if (p->form == kPacked) addPacked(*p, Type::f32, Type::f32);
        else addPlain(*p);
        return p->form == kPacked ? 3 : 2;
      case kBfloat16:
        addPacked(*p, Type::bf16, Type::f32);
        addPacked(*p, Type::bf16, Type::bf16);
        return 2;
      default:
        quantized.setWeight(p->b, p->n, p->k);
        quantized.resize(p->m, p->k);
        sums.resize(size_t(p->m) * p->n);
        addInt8(*p, p->m);
        if (p->m <= kBlock || p->m % kBlock != 0) return 1;
        addInt8(*p, kBlock);
        return 2;
    }
  } catch (const dnnl::error&) {
    return 0;  // not on this CPU
  }
}

void multiplyInt8(const Product& p, int way) {
  quantized.quantize(p.a);
  const int block = way == 0 ? p.m : kBlock;
  Matmul& product = primitives[way];
  for (int row = 0; row < p.m; row += block) {
    const size_t at = size_t(row) * p.n;
    product.arguments.at(DNNL_ARG_SRC).set_data_handle(&quantized.rows[size_t(row) * p.k]);
    product.arguments.at(DNNL_ARG_DST).set_data_handle(&sums[at]);
    product();
    quantized.scale(&sums[at], row, block, p.c + at);
  }
}

void multiply(const Product* p, int way) {
  if (p->dtype == kInt8) return multiplyInt8(*p, way);
  if (way < int(primitives.size())) return primitives[way]();
  const bool transposeA = p->form == kTN;
  const bool transposeB = p->form == kPacked ? way == 1 : p->form == kNT;
  dnnl::sgemm(transposeA ? 'T' : 'N', transposeB ? 'T' : 'N', p->m, p->n, p->k, 1, p->a,
              transposeA ? p->m : p->k, p->b, transposeB ? p->k : p->n, 0, p->c, p->n);
}

}  // namespace

int main() {
  const dnnl_version_t* version = dnnl_version();
  const std::string name = "oneDNN " + std::to_string(version->major) + "." +
                           std::to_string(version->minor) + "." + std::to_string(version->patch);
  const Library library = {name.c_str(), prepare, multiply};
  return serve(&library);
}
