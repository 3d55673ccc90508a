// What the peers of `npm run bench -- gemm` share (bench/peer.mjs): C = A·Wᵀ for A [m,k] and W [n,k]
// on request, in the quickest of the ways that the library offers, because whoever packs weights
// beforehand may choose their layout. Buffers are aligned to 64 bytes and used again.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct {
  int m, k, n;
  float *a, *w, *c;
} Product;

// Multiplies once, in one of the ways 0 … count − 1.
typedef void (*Multiply)(const Product* product, int way);
// Called when the sizes have changed; null: nothing to prepare.
typedef void (*Prepare)(const Product* product);

static double milliseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

static float* filled(size_t count) {
  float* data = (float*)aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64);
  if (!data) exit(1);
  for (size_t i = 0; i < count; i++) data[i] = (float)(i % 17) * 0.01f - 0.08f;
  return data;
}

static double timed(Multiply multiply, const Product* product, int way) {
  const double begin = milliseconds();
  multiply(product, way);
  return milliseconds() - begin;
}

static int quickest(Multiply multiply, const Product* product, int ways) {
  int best = 0;
  double least = 1e30;
  for (int i = 0; i < 5 * ways; i++) {
    const double t = timed(multiply, product, i % ways);
    if (t < least) least = t, best = i % ways;
  }
  return best;
}

static int serve(const char* name, Prepare prepare, Multiply multiply, int ways) {
  char line[256];
  Product p = {0, 0, 0, NULL, NULL, NULL};
  int way = 0;
  printf("{\"name\":\"%s\"}\n", name);
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    int m, k, n, reps;
    if (sscanf(line, "{\"m\":%d,\"k\":%d,\"n\":%d,\"reps\":%d}", &m, &k, &n, &reps) != 4) {
      printf("{\"error\":\"expected m, k, n and reps, in this order\"}\n");
      fflush(stdout);
      continue;
    }
    if (m != p.m || k != p.k || n != p.n) {
      free(p.a), free(p.w), free(p.c);
      p.m = m, p.k = k, p.n = n;
      p.a = filled((size_t)m * k), p.w = filled((size_t)k * n), p.c = filled((size_t)m * n);
      if (prepare) prepare(&p);
      way = quickest(multiply, &p, ways);
    }
    printf("{\"ms\":[");
    for (int i = 0; i < reps; i++) printf("%s%.6f", i ? "," : "", timed(multiply, &p, way));
    printf("]}\n");
    fflush(stdout);
  }
  return 0;
}
