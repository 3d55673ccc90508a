"""Derives the coefficients of native/simd/math.h and prints them with their errors.

exp: polynomial for (e^r - 1 - r) / r^2 on |r| <= ln(2)/2; 2^t: for (2^r - 1) / r on |r| <= 1/2.
erf, tanh: odd rational functions x * P(x^2) / Q(x^2) on [0, bound], where the function has reached 1
in float32; minimax in relative error, by Lawson's reweighting of the linearised least squares.

Needs numpy and mpmath. Errors are in units of the last place of the float32 result: first of the exact
approximation, then of its evaluation in float32 with fused multiply-adds, over a dense sweep.
"""

import mpmath
import numpy as np

mpmath.mp.dps = 40
POINTS = 1500


def minimax(function, low, high, numerator, denominator, rounds=600):
    """Coefficients (monomials, lowest first) of P and Q, Q(0) = 1, and the largest relative error."""
    u = np.cos(np.pi * (np.arange(POINTS) + 0.5) / POINTS)
    t = low + (high - low) * (u + 1) / 2
    y = np.array([float(function(mpmath.mpf(float(v)))) for v in t])
    basis = np.polynomial.chebyshev.chebvander(u, max(numerator, denominator))
    weights, q = np.ones(POINTS), np.ones(POINTS)
    best = None
    for _ in range(rounds):
        # Minimises the weighted sum of ((P - yQ) / (yq))^2, q being the last round's Q.
        s = np.sqrt(weights) / (y * q)
        left = np.hstack([basis[:, : numerator + 1] * s[:, None],
                          -basis[:, 1 : denominator + 1] * (y * s)[:, None]])
        c = np.linalg.lstsq(left, y * s, rcond=None)[0]
        p, q = c[: numerator + 1], np.concatenate([[1.0], c[numerator + 1 :]])
        error = np.abs((basis[:, : numerator + 1] @ p) / (basis[:, : denominator + 1] @ q) / y - 1)
        if best is None or error.max() < best[2]:
            best = (p, q, error.max())
        weights *= np.sqrt(error + 1e-18)
        weights /= weights.sum()
        q = basis[:, : denominator + 1] @ q
    p, q = (np.polynomial.chebyshev.Chebyshev(c, [low, high])
            .convert(kind=np.polynomial.Polynomial, domain=[-1, 1], window=[-1, 1]).coef
            for c in best[:2])
    return p / q[0], q / q[0], best[2]


def fma(a, b, c):
    """a * b + c in float32 with one rounding, but for the rare double rounding through float64."""
    return (a.astype(np.float64) * b + c).astype(np.float32)


def horner(coefficients, t):
    value = np.full_like(t, coefficients[-1])
    for c in coefficients[-2::-1]:
        value = fma(value, t, c)
    return value


def ulps(found, exact):
    exact = np.asarray(exact, dtype=np.float64)
    unit = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    return np.max(np.abs(found.astype(np.float64) - exact) / unit)


def report(name, coefficients):
    print(f'  {name}: ' + ', '.join(f'{np.float32(c):.9g}f' for c in coefficients))


def odd_rational(name, function, bound, numerator, denominator):
    def ratio(t):
        x = mpmath.sqrt(t)
        return function(x) / x

    p, q, error = minimax(ratio, 1e-14, bound * bound, numerator, denominator)
    p, q = p.astype(np.float32), q.astype(np.float32)
    print(f'{name}: bound {bound}, approximation {error * 2**24:.3f} ULP')
    report('numerator', p)
    report('denominator', q)
    x = np.concatenate([np.linspace(1e-6, bound, 400001), np.geomspace(1e-30, 1, 2001)])
    x = x.astype(np.float32)
    t = x * x
    found = np.minimum(x * horner(p, t) / horner(q, t), np.float32(1))
    exact = [float(function(mpmath.mpf(float(v)))) for v in x[::20]]
    print(f'  evaluated {ulps(found[::20], exact):.2f} ULP, at the bound {found[400000]:.9g}')


def exponential():
    half = float(mpmath.log(2) / 2)

    def rest(r):
        return (mpmath.expm1(r) - r) / r**2 if abs(r) > 1e-6 else 0.5 + r / 6

    p, _, error = minimax(rest, -half, half, 4, 0)
    p = p.astype(np.float32)
    print(f'exp: approximation {error * half**2 * 2**24:.3f} ULP')
    report('coefficients', p)
    x = np.linspace(-87, 88, 20001).astype(np.float32)
    n = np.rint(x * np.float32(1.44269504088896341))
    # 355/512 times any n that occurs is exact, with or without fused multiply-adds.
    high, low = np.float32(0.693359375), np.float32(float(mpmath.log(2)) - 0.693359375)
    print(f'  ln2: {high:.9g}f, {low:.9g}f')
    r = fma(-n, low, fma(-n, high, x))
    found = fma(horner(p, r), r * r, r) + np.float32(1)
    exact = [float(mpmath.exp(mpmath.mpf(float(v)))) for v in x]
    print(f'  evaluated {ulps(np.ldexp(found, n.astype(int)), exact):.2f} ULP')



def power_of_two():
    def rest(r):
        return (mpmath.power(2, r) - 1) / r if abs(r) > 1e-9 else mpmath.log(2)

    p, _, error = minimax(rest, -0.5, 0.5, 5, 0)
    p = p.astype(np.float32)
    print(f'exp2: approximation {error * 0.5 * 2**24:.3f} ULP')
    report('coefficients', p)
    t = np.linspace(-126, 0, 400001).astype(np.float32)
    n = np.rint(t)
    found = fma(horner(p, t - n), t - n, np.float32(1))
    exact = np.exp2(t.astype(np.float64))
    print(f'  evaluated {ulps(np.ldexp(found, n.astype(int)), exact):.2f} ULP')


exponential()
power_of_two()
odd_rational('erf', mpmath.erf, 3.925, 5, 5)
odd_rational('tanh', mpmath.tanh, 9.02, 5, 4)
