#!/usr/bin/env python3
"""Prints the reference numbers that the tests of mga-core/src/statistics hold.

    python3 -m venv /tmp/statistics && /tmp/statistics/bin/pip install scipy statsmodels
    /tmp/statistics/bin/python scripts/statistics/reference.py
"""

import math

import scipy
import statsmodels
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint


def f(x):
    return repr(float(x))


print(f"// scipy {scipy.__version__}, statsmodels {statsmodels.__version__}")

print("\n// distributions.rs")
rows = [(c, d) for d in (1, 2, 4, 9, 29, 250) for c in (0.9, 0.95, 0.99)]
print(f"const T_QUANTILES: [(f64, f64, f64); {len(rows)}] = [")
for c, d in rows:
    print(f"    ({c}, {d}.0, {f(stats.t.ppf(0.5 + c / 2, d))}),")
print("];")
rows = [(t, d) for d in (1, 2, 4, 9, 29, 250) for t in (0.01, 1.0, 2.5, 12.0)]
print(f"const T_TAILS: [(f64, f64, f64); {len(rows)}] = [")
for t, d in rows:
    print(f"    ({t}, {d}.0, {f(2 * stats.t.sf(t, d))}),")
print("];")
rows = (0.0, 0.1, 3.841458820694124, 10.0, 60.0)
print(f"const CHI_TAILS: [(f64, f64); {len(rows)}] = [")
for x in rows:
    print(f"    ({f(x)}, {f(stats.chi2.sf(x, 1))}),")
print("];")
print(f"const NORMAL: f64 = {f(stats.norm.ppf(0.975))};")

print("\n// t_test.rs")
one = [0.912, 0.935, 0.921, 0.944, 0.918, 0.951, 0.902, 0.933, 0.927, 0.939]
two = [0.905, 0.921, 0.925, 0.926, 0.911, 0.940, 0.899, 0.914, 0.930, 0.921]
differences = [a - b for a, b in zip(one, two)]
paired = stats.ttest_rel(one, two)
interval = paired.confidence_interval(0.95)
print(f"const DIFFERENCES: [f64; {len(differences)}] = [{', '.join(f(d) for d in differences)}];")
print("const PAIRED: (f64, f64, f64, f64) = "
      f"({f(paired.statistic)}, {f(paired.pvalue)}, {f(interval.low)}, {f(interval.high)});")
n = len(differences)
mean = sum(differences) / n
variance = sum((d - mean) ** 2 for d in differences) / (n - 1)
t = mean / math.sqrt((1 / n + 1 / 9) * variance)
print(f"const CORRECTED: (f64, f64) = ({f(t)}, {f(2 * stats.t.sf(abs(t), n - 1))});")

print("\n// wilson.rs")
rows = [(0, 10), (10, 10), (187, 200), (1, 3), (30, 50)]
print(f"const WILSON: [(u64, u64, f64, f64); {len(rows)}] = [")
for k, n in rows:
    low, high = proportion_confint(k, n, 0.05, "wilson")
    print(f"    ({k}, {n}, {f(low)}, {f(high)}),")
print("];")

print("\n// mcnemar.rs")
rows = [(1, 4), (12, 3), (0, 24), (12, 12), (12, 13), (20, 40), (300, 200)]
print(f"const MCNEMAR: [(u64, u64, f64, bool); {len(rows)}] = [")
for b, c in rows:
    exact = b + c < 25
    result = mcnemar([[0, b], [c, 0]], exact=exact, correction=True)
    print(f"    ({b}, {c}, {f(result.pvalue)}, {str(exact).lower()}),")
print("];")

print("\n// holm.rs")
p = [0.01, 0.04, 0.03, 0.005, 0.5]
print(f"const HOLM: [f64; {len(p)}] = [{', '.join(f(x) for x in multipletests(p, method='holm')[1])}];")

print("\n// rank_share.rs: with ties, H of Kruskal and Wallis as its bias-corrected eta squared, and Spearman's correlation")
values = [0.31, 0.35, 0.35, 0.40, 0.42, 0.42, 0.42, 0.55, 0.60, 0.61]
groups = [0, 0, 1, 0, 1, 2, 1, 2, 2, 2]
others = [5, 3, 3, 2, 2, 9, 8, 8, 7, 10]
h = stats.kruskal(*[[v for v, g in zip(values, groups) if g == group] for group in range(3)]).statistic
print(f"const SHARE: f64 = {f((h - 2) / (10 - 3))};")
print(f"const SPEARMAN: f64 = {f(stats.spearmanr(values, others).statistic)};")
