"""The tolerance policy as constants: every comparison in the tests takes its tolerance from here.

A looser value at a single test stands there with the reason why the larger difference is expected.
"""

ALGEBRAIC = 1e-10
"""Relative: two ways to write one number (identities)."""

TWO_FORMS = 1e-8
"""Relative: two forms of one log density, up to one additive constant."""

REFERENCE = 1e-6
"""Relative: a deterministic value of a pure function against R or a closed form."""

MCSE_MULTIPLE = 5.0
"""Posterior summaries agree when ``abs(a - b) < MCSE_MULTIPLE * sqrt(mcse_a**2 + mcse_b**2)``.

At 100 compared quantities a multiple of 4 gives a false alarm in about 1 of 160 runs, 5 in about 1 of 17,000.
"""
