// The probes that this machine can run, for parametrised tests.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "dispatch.h"
#include "test/probe/probe.h"

namespace heddle::test {

std::vector<const Probe*> probes();  // tables.cc

inline std::string probeName(const ::testing::TestParamInfo<const Probe*>& info) {
  return info.param->isa;
}

class ProbeTest : public ::testing::TestWithParam<const Probe*> {
 public:
  const Probe& probe() const { return *GetParam(); }

  std::vector<float> apply(const char* name, const std::vector<float>& a,
                           const std::vector<float>& b, const std::vector<float>& c) const {
    std::vector<float> y(a.size());
    for (int i = 0; i < probe().functionCount; i++) {
      const ProbeFunction& function = probe().functions[i];
      if (std::strcmp(function.name, name) != 0) continue;
      function.run(a.data(), b.data(), c.data(), y.data(), static_cast<int64_t>(a.size()));
      return y;
    }
    ADD_FAILURE() << "no function named " << name;
    return y;
  }
  std::vector<float> apply(const char* name, const std::vector<float>& a,
                           const std::vector<float>& b) const {
    return apply(name, a, b, b);
  }
  std::vector<float> apply(const char* name, const std::vector<float>& a) const {
    return apply(name, a, a, a);
  }
};

#define HEDDLE_FOR_EACH_PROBE(Fixture)                                                  \
  INSTANTIATE_TEST_SUITE_P(Isa, Fixture, ::testing::ValuesIn(::heddle::test::probes()), \
                           ::heddle::test::probeName)

}  // namespace heddle::test
