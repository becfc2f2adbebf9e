"""Positions in the integer tables and headers that compiled code reads."""

TRANSFORM, PRIOR = range(2)
"""Columns of the table of scalars."""

LOWER, UPPER, FIRST, SECOND, THIRD = range(5)
"""Columns of the scalars' numbers."""

SD_START, WIDTH, LEVELS, COR_START, EFFECT_START, Z_START, SCRATCH, COLUMN, ORDER = range(9)
"""Columns of the table of covariance blocks; ORDER[t] is the t-th block when they are taken from few levels to many."""

FAMILY, LINK, COEFFICIENTS, SIGMA, CONSTANT, SORTED = range(6)
"""Positions in the header of a density with all effects."""

GAUSSIAN, GAUSSIAN_LOG, POISSON, BINOMIAL = range(4)
"""Families of rows."""

NONE = -1
"""Not there."""
