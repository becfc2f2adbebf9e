"""Tests of bayesglmm.numerics."""
