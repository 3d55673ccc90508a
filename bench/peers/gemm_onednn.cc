// oneDNN as a peer: its matmul primitive with the weight packed beforehand in the layout that it asks
// for, or its sgemm, which packs in every call.
#include <dnnl.hpp>
#include <string>
#include <unordered_map>

#include "gemm_peer.h"

namespace {

using Tag = dnnl::memory::format_tag;

struct Packed {
  dnnl::matmul primitive;
  std::unordered_map<int, dnnl::memory> arguments;
};

dnnl::engine& cpu() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& stream() {
  static dnnl::stream made(cpu());
  return made;
}

dnnl::memory::desc matrix(int rows, int columns, Tag tag) {
  return {{rows, columns}, dnnl::memory::data_type::f32, tag};
}

Packed packed;

void prepare(const Product* p) {
  const auto x = matrix(p->m, p->k, Tag::ab), y = matrix(p->m, p->n, Tag::ab);
  const dnnl::matmul::primitive_desc chosen({x, matrix(p->k, p->n, Tag::any), y}, cpu());
  dnnl::memory given(matrix(p->k, p->n, Tag::ba), cpu(), p->w);
  dnnl::memory weight(chosen.weights_desc(), cpu());
  dnnl::reorder(given, weight).execute(stream(), given, weight);
  stream().wait();
  packed = {dnnl::matmul(chosen),
            {{DNNL_ARG_SRC, dnnl::memory(x, cpu(), p->a)},
             {DNNL_ARG_WEIGHTS, weight},
             {DNNL_ARG_DST, dnnl::memory(y, cpu(), p->c)}}};
}

void multiply(const Product* p, int way) {
  if (way == 0) {
    packed.primitive.execute(stream(), packed.arguments);
    stream().wait();
    return;
  }
  const bool transposed = way == 1;
  dnnl::sgemm('N', transposed ? 'T' : 'N', p->m, p->n, p->k, 1, p->a, p->k, p->w,
              transposed ? p->k : p->n, 0, p->c, p->n);
}

}  // namespace

int main() {
  const dnnl_version_t* version = dnnl_version();
  const std::string name =
      "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
      std::to_string(version->patch);
  return serve(name.c_str(), prepare, multiply, 3);
}
