// OpenBLAS, or with -DBLIS BLIS, as a peer: sgemm with the weight in either order, and sgemv for one
// row, where sgemm is several times slower.
#include <cblas.h>

#include "gemm_peer.h"

#ifdef BLIS
#include <blis.h>
#else
#define cblas_sgemm scipy_cblas_sgemm
#define cblas_sgemv scipy_cblas_sgemv
char* scipy_openblas_get_corename(void);
#endif

static void multiply(const Product* p, int transposed) {
  if (p->m == 1) {
    cblas_sgemv(CblasRowMajor, transposed ? CblasNoTrans : CblasTrans, transposed ? p->n : p->k,
                transposed ? p->k : p->n, 1, p->w, transposed ? p->k : p->n, p->a, 1, 0, p->c, 1);
    return;
  }
  cblas_sgemm(CblasRowMajor, CblasNoTrans, transposed ? CblasTrans : CblasNoTrans, p->m, p->n,
              p->k, 1, p->a, p->k, p->w, transposed ? p->k : p->n, 0, p->c, p->n);
}

int main(void) {
  char name[128];
#ifdef BLIS
  snprintf(name, sizeof name, "BLIS %s (%s)", bli_info_get_version_str(),
           bli_arch_string(bli_arch_query_id()));
#else
  snprintf(name, sizeof name, "OpenBLAS 0.3.34 (%s)", scipy_openblas_get_corename());
#endif
  return serve(name, NULL, multiply, 2);
}
