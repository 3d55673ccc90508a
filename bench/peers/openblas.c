// OpenBLAS's sgemm as a peer (bench/peer.mjs): C = A·Wᵀ for A [m,k] and W [n,k], or the faster of that and
// A·W for W [k,n]: whoever packs weights beforehand may choose their order. Buffers are 64-byte aligned and reused.
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

char* scipy_openblas_get_config(void);
char* scipy_openblas_get_corename(void);

static double milliseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

static float* filled(size_t count) {
  float* data = aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64);
  if (!data) exit(1);
  for (size_t i = 0; i < count; i++) data[i] = (float)(i % 17) * 0.01f - 0.08f;
  return data;
}

typedef struct {
  int m, k, n;
  float *a, *w, *c;
} Product;

static double timed(const Product* p, int transposed) {
  double begin = milliseconds();
  scipy_cblas_sgemm(CblasRowMajor, CblasNoTrans, transposed ? CblasTrans : CblasNoTrans, p->m, p->n,
                    p->k, 1, p->a, p->k, p->w, transposed ? p->k : p->n, 0, p->c, p->n);
  return milliseconds() - begin;
}

int main(void) {
  char line[256];
  Product p = {0, 0, 0, NULL, NULL, NULL};
  int transposed = 0;
  printf("{\"name\":\"OpenBLAS 0.3.34 (%s)\"}\n", scipy_openblas_get_corename());
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
      p = (Product){m, k, n, filled((size_t)m * k), filled((size_t)k * n), filled((size_t)m * n)};
      double best[2] = {1e30, 1e30};
      for (int i = 0; i < 10; i++) {
        double t = timed(&p, i % 2);
        if (t < best[i % 2]) best[i % 2] = t;
      }
      transposed = best[1] < best[0];
    }
    printf("{\"ms\":[");
    for (int i = 0; i < reps; i++) printf("%s%.6f", i ? "," : "", timed(&p, transposed));
    printf("]}\n");
    fflush(stdout);
  }
  return 0;
}
