import { addon } from './addon.mjs';

/**
 * Environment variables by which the peers use what the CPU has, as Heddle does. Left alone, OpenBLAS, BLIS and CTranslate2
 * take their AVX2 kernels on AMD CPUs that have AVX-512 (0 is BLIS 0.9's number for those). Where HEDDLE_ISA holds
 * Heddle to AVX2, all are held to it.
 */
export function instructionSets() {
  const { isa, isas } = addon().info();
  if (isa.startsWith('avx512')) {
    return { OPENBLAS_CORETYPE: 'SKYLAKEX', BLIS_ARCH_TYPE: '0', CT2_FORCE_CPU_ISA: 'AVX512' };
  }
  if (!isas.some((name) => name.startsWith('avx512'))) return {};
  return {
    ONEDNN_MAX_CPU_ISA: 'AVX2',
    MKL_ENABLE_INSTRUCTIONS: 'AVX2',
    ATEN_CPU_CAPABILITY: 'avx2',
    OPENBLAS_CORETYPE: 'Haswell',
    BLIS_ARCH_TYPE: 'haswell',
    CT2_FORCE_CPU_ISA: 'AVX2',
  };
}

/** So many threads, for whatever library reads them. */
export function threadCount(threads) {
  const names = ['OMP', 'OPENBLAS', 'BLIS', 'MKL'];
  return Object.fromEntries(names.map((name) => [`${name}_NUM_THREADS`, String(threads)]));
}
