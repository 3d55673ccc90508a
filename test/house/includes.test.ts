import { describe, expect, it } from 'vitest';
import { wrongIncludes } from './includes.js';
import { sources } from './sources.js';

describe('includes in native/', () => {
  const files = sources(['native'], ['.cc', '.h', '.inc']);

  it('point one way in every file', () => {
    expect(files.length).toBeGreaterThan(0);
    expect(files.flatMap(wrongIncludes)).toEqual([]);
  });

  const cases: [path: string, text: string, allowed: boolean][] = [
    ['native/binding/addon.cc', '#include <napi.h>', true],
    ['native/plan.cc', '#include <napi.h>', false],
    ['native/binding/addon.cc', '#include "api.h"', true],
    ['native/api.cc', '#include "engine.h"', true],
    ['native/engine.cc', '#include "api.h"', false],
    ['native/dispatch.h', '#include "kernels/kernel.h"', true],
    ['native/kernels/norm.cc', '#include "dispatch.h"', false],
    ['native/kernels/norm.cc', '#include "simd/simd.h"', true],
    ['native/simd/avx2.h', '#include "kernels/kernel.h"', false],
    ['native/kernels/norm.cc', '#include <stdint.h>', true],
    ['native/kernels/norm.cc', '#include <cmath>', false],
    ['native/kernels/norm.cc', '#include <math.h>', false],
    ['native/plan.cc', '#include <vector>', true],
    ['native/kernels/norm.cc', '#pragma omp parallel', false],
    ['native/plan.cc', '#pragma omp parallel', true],
  ];
  it.each(cases)('%s with %s: allowed %s', (path, text, allowed) => {
    expect(wrongIncludes({ path, text }).length).toBe(allowed ? 0 : 1);
  });
});
