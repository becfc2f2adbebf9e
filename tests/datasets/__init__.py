"""Tests of bayesglmm.datasets."""
