// What the peers of `npm run bench -- gemm` that are written in C share (bench/peer.mjs). A request names the sizes, how the
// operands lie, and their type:
//   packed   C = A·W for a weight that may be laid out beforehand as the library likes best
//   nn, nt, tn   C = A·B, A·Bᵀ, Aᵀ·B of row-major operands, neither of them prepared: the products of training
// Of the ways that a library offers, the quickest is taken. Buffers are aligned to 64 bytes.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef enum { kPacked, kNN, kNT, kTN, kForms } Form;
typedef enum { kFloat32, kBfloat16, kInt8, kDTypes } DType;

typedef struct {
  int m, k, n;
  Form form;
  DType dtype;
  float *a, *b, *c;  // float32 of m·k, k·n and m·n numbers
} Product;

typedef struct {
  const char* name;
  // Makes ready for other sizes. Gives the number of ways to multiply, or 0 where the library has none.
  int (*prepare)(const Product* product);
  void (*multiply)(const Product* product, int way);
} Library;

static double milliseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

static void* aligned(size_t bytes) {
  void* data = aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (!data) exit(1);
  return data;
}

// Deterministic numbers in [−1, 1).
static float* filled(size_t count) {
  float* data = (float*)aligned(count * sizeof(float));
  unsigned state = 1;
  for (size_t i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    data[i] = (float)(int)state / 2147483648.0f;
  }
  return data;
}

static double timed(const Library* library, const Product* product, int way) {
  const double begin = milliseconds();
  library->multiply(product, way);
  return milliseconds() - begin;
}

static int quickest(const Library* library, const Product* product, int ways) {
  int best = 0;
  double least = 1e30;
  for (int i = 0; i < 5 * ways; i++) {
    const double t = timed(library, product, i % ways);
    if (t < least) least = t, best = i % ways;
  }
  return best;
}

static int indexOf(const char* word, const char* const* words, int count) {
  for (int i = 0; i < count; i++) {
    if (strcmp(word, words[i]) == 0) return i;
  }
  return -1;
}

static int parse(const char* line, Product* product, int* reps) {
  static const char* const forms[] = {"packed", "nn", "nt", "tn"};
  static const char* const dtypes[] = {"float32", "bfloat16", "int8"};
  char form[16], dtype[16];
  const char* layout =
      "{\"m\":%d,\"k\":%d,\"n\":%d,\"form\":\"%15[a-z]\",\"dtype\":\"%15[a-z0-9]\",\"reps\":%d}";
  if (sscanf(line, layout, &product->m, &product->k, &product->n, form, dtype, reps) != 6) return 0;
  const int f = indexOf(form, forms, kForms), d = indexOf(dtype, dtypes, kDTypes);
  product->form = (Form)f, product->dtype = (DType)d;
  return f >= 0 && d >= 0 && product->m > 0 && product->k > 0 && product->n > 0;
}

static int isSame(const Product* a, const Product* b) {
  return a->m == b->m && a->k == b->k && a->n == b->n && a->form == b->form && a->dtype == b->dtype;
}

static int serve(const Library* library) {
  char line[256];
  Product now = {0, 0, 0, kPacked, kFloat32, NULL, NULL, NULL};
  int ways = 0, way = 0, reps;
  printf("{\"name\":\"%s\"}\n", library->name);
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    Product asked = now;
    if (!parse(line, &asked, &reps)) {
      printf("{\"error\":\"expected m, k, n, form, dtype and reps, in this order\"}\n");
    } else {
      if (!isSame(&asked, &now)) {
        free(now.a), free(now.b), free(now.c);
        now = asked;
        now.a = filled((size_t)now.m * now.k), now.b = filled((size_t)now.k * now.n);
        now.c = filled((size_t)now.m * now.n);
        ways = library->prepare(&now);
        if (ways > 0) way = quickest(library, &now, ways);
      }
      if (ways == 0) {
        printf("{\"error\":\"no such product on this CPU\"}\n");
      } else {
        printf("{\"ms\":[");
        for (int i = 0; i < reps; i++) printf("%s%.6f", i ? "," : "", timed(library, &now, way));
        printf("]}\n");
      }
    }
    fflush(stdout);
  }
  return 0;
}
