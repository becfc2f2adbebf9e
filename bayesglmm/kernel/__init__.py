"""The same density as the PyMC form, compiled once for all models. The only package that imports numba; imports rows 0-4 and below."""
