// The ceiling of float32 arithmetic on this CPU: independent chains of fused multiply-adds that stay in
// registers. Usage: peak THREADS; prints GFLOP/s, the best of ten runs. cc -O3 -march=native -fopenmp
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __AVX512F__
#define BYTES 64
#else
#define BYTES 32
#endif
typedef float vector __attribute__((vector_size(BYTES)));
enum { kChains = 12, kLanes = BYTES / 4 };

static float chains(long steps) {
  vector sum[kChains], factor, addend;
  for (int i = 0; i < kLanes; i++) factor[i] = 0.999f, addend[i] = 0.001f;
  for (int c = 0; c < kChains; c++) sum[c] = addend * (float)c;
  for (long step = 0; step < steps; step++) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; c++) sum[c] = sum[c] * factor + addend;
  }
  for (int c = 1; c < kChains; c++) sum[0] += sum[c];
  return sum[0][0];
}

int main(int argc, char** argv) {
  const int threads = argc > 1 ? atoi(argv[1]) : 1;
  const long steps = 20000000;
  double best = 0;
  volatile float kept = 0;
  for (int run = 0; run < 10; run++) {
    const double begin = omp_get_wtime();
#pragma omp parallel num_threads(threads)
    {
      const float value = chains(steps);
#pragma omp critical
      kept += value;
    }
    const double rate = 2.0 * threads * kChains * kLanes * steps / (omp_get_wtime() - begin) / 1e9;
    if (rate > best) best = rate;
  }
  printf("%.1f\n", best);
}
