#include "quantize.h"
#include "test/harness.h"

namespace heddle::test {
namespace {

class EmbeddingTest : public KernelTest {};
HEDDLE_FOR_EACH_ISA(EmbeddingTest);

// The value of 16 bits, by the definition of the format.
double valueOf(DType dtype, uint16_t bits) {
  const int exponentBits = dtype == DType::kFloat16 ? 5 : 8;
  const int fractionBits = 15 - exponentBits;
  const int exponent = (bits >> fractionBits) & ((1 << exponentBits) - 1);
  const int fraction = bits & ((1 << fractionBits) - 1);
  const int bias = (1 << (exponentBits - 1)) - 1;
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == (1 << exponentBits) - 1) return fraction ? NAN : sign * INFINITY;
  const double significand = fraction + (exponent ? 1 << fractionBits : 0);
  return sign * std::ldexp(significand, (exponent ? exponent : 1) - bias - fractionBits);
}

struct EmbeddingTable {
  Operand operand;
  std::vector<double> values;
};

EmbeddingTable makeTable(DType dtype, int64_t rows, int64_t columns) {
  EmbeddingTable made{Operand(dtype, {rows, columns}), {}};
  std::mt19937 engine(5);
  const std::vector<float> floats = normal(rows * columns, 6);
  if (dtype == DType::kInt8) {
    std::vector<float> values(floats.size());
    void* table = made.operand.tensor().data;
    quantizeWeights(dtype, floats.data(), rows, columns, false, table, 0, 1);
    dequantizeWeights(dtype, table, rows, columns, values.data());
    made.values.assign(values.begin(), values.end());
    return made;
  }
  for (int64_t i = 0; i < rows * columns; i++) {
    if (dtype == DType::kFloat32) {
      made.operand.floats()[i] = floats[static_cast<size_t>(i)];
      made.values.push_back(floats[static_cast<size_t>(i)]);
    } else {
      // All kinds of bits: subnormal, infinite, NaN.
      const uint16_t bits = static_cast<uint16_t>(engine());
      static_cast<uint16_t*>(made.operand.tensor().data)[i] = bits;
      made.values.push_back(valueOf(dtype, bits));
    }
  }
  return made;
}

TEST_P(EmbeddingTest, MatchesItsDefinition) {
  const std::vector<int32_t> ids = {4, 0, 12, 12, 7};
  const int64_t rows = static_cast<int64_t>(ids.size());
  for (DType dtype : {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kInt8}) {
    for (int64_t columns : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 384, 1001}) {
      for (bool withResidual : {false, true}) {
        for (double scale : {1.0, 2.5}) {
          const EmbeddingTable embeddings = makeTable(dtype, 13, columns);
          const std::vector<float> residual = normal(rows * columns, 7);
          std::vector<double> expected;
          for (int64_t i = 0; i < rows * columns; i++) {
            const int64_t source = ids[static_cast<size_t>(i / columns)] * columns + i % columns;
            expected.push_back(embeddings.values[static_cast<size_t>(source)] * scale +
                               (withResidual ? residual[static_cast<size_t>(i)] : 0));
            // Beyond float32 the answer is infinite.
            const float rounded = static_cast<float>(expected.back());
            if (std::isinf(rounded)) expected.back() = rounded;
          }
          const Invocation invocation = {
              "embedding",
              {embeddings.operand, Operand::i32({rows}, ids),
               withResidual ? Operand::f32({rows, columns}, residual) : Operand()},
              {Operand::output({rows, columns})},
              {},
              {scale}};
          for (int threads : {1, 3}) {
            expectClose(run(table(), invocation, threads), expected, 3e-7, 2e-7,
                        "dtype " + std::to_string(static_cast<int>(dtype)) + ", columns " +
                            std::to_string(columns));
          }
        }
      }
    }
  }
}

// Packing does not round: a packed table gives the very bits of the plain one.
TEST_P(EmbeddingTest, OfAPackedTableHasTheSameBits) {
  const std::vector<int32_t> ids = {70, 0, 12, 12, 129, 64};
  const int64_t rows = static_cast<int64_t>(ids.size()), entries = 130;
  for (DType dtype : {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kInt8}) {
    for (int64_t columns : {1, 3, 16, 63, 64, 65, 384, 1001}) {
      const EmbeddingTable plain = makeTable(dtype, entries, columns);
      const Packing& packing = table().packing;
      const Guarded memory(static_cast<size_t>(packing.bytes(dtype, entries, columns)));
      PackedMatrix matrix = {memory.data(), dtype, entries, columns, packing.panel};
      packing.pack(&matrix, plain.operand.tensor().data, false, 0, 1);
      const Operand packed(DType::kInt32, {sizeof(PackedMatrix) / 4});
      std::memcpy(packed.tensor().data, &matrix, sizeof(matrix));
      for (bool withResidual : {false, true}) {
        const Operand residual =
            withResidual ? Operand::f32({rows, columns}, normal(rows * columns, 7)) : Operand();
        const auto gather = [&](const char* kernel, const Operand& embeddings) {
          const Invocation invocation = {kernel,
                                         {embeddings, Operand::i32({rows}, ids), residual},
                                         {Operand::output({rows, columns})},
                                         {},
                                         {2.5}};
          return run(table(), invocation, 3);
        };
        expectSameBits(gather("embeddingPacked", packed), gather("embedding", plain.operand),
                       "dtype " + std::to_string(static_cast<int>(dtype)) + ", columns " +
                           std::to_string(columns));
      }
    }
  }
}

TEST_P(EmbeddingTest, ManyRowsAndNone) {
  const EmbeddingTable embeddings = makeTable(DType::kFloat32, 50, 33);
  for (int64_t rows : {0, 1000}) {
    std::vector<int32_t> ids;
    std::vector<double> expected;
    for (int64_t r = 0; r < rows; r++) {
      ids.push_back(static_cast<int32_t>(r * 7 % 50));
      const auto begin = embeddings.values.begin() + ids.back() * 33;
      expected.insert(expected.end(), begin, begin + 33);
    }
    const Invocation invocation = {"embedding",
                                   {embeddings.operand, Operand::i32({rows}, ids), Operand()},
                                   {Operand::output({rows, 33})},
                                   {},
                                   {1.0}};
    for (int threads = 1; threads <= 4; threads++) {
      expectClose(run(table(), invocation, threads), expected, 0, 0, "rows");
    }
  }
}

}  // namespace
}  // namespace heddle::test
