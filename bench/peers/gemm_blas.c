// OpenBLAS, or with -DBLIS BLIS, as a peer: sgemm, with the weight in whichever order is quicker, and sgemv for one
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

static int prepare(const Product* p) {
  if (p->dtype != kFloat32) return 0;
  return p->form == kPacked ? 2 : 1;
}

static void multiply(const Product* p, int way) {
  const int transposeA = p->form == kTN;
  const int transposeB = p->form == kPacked ? way : p->form == kNT;
  const int ldb = transposeB ? p->k : p->n;
  if (p->m == 1 && !transposeA) {
    cblas_sgemv(CblasRowMajor, transposeB ? CblasNoTrans : CblasTrans, transposeB ? p->n : p->k,
                ldb, 1, p->b, ldb, p->a, 1, 0, p->c, 1);
    return;
  }
  cblas_sgemm(CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans,
              transposeB ? CblasTrans : CblasNoTrans, p->m, p->n, p->k, 1, p->a,
              transposeA ? p->m : p->k, p->b, ldb, 0, p->c, p->n);
}

int main(void) {
  char name[128];
#ifdef BLIS
  snprintf(name, sizeof name, "BLIS %s (%s)", bli_info_get_version_str(),
           bli_arch_string(bli_arch_query_id()));
#else
  snprintf(name, sizeof name, "OpenBLAS 0.3.34 (%s)", scipy_openblas_get_corename());
#endif
  const Library library = {name, prepare, multiply};
  return serve(&library);
}
