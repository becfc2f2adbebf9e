"""Tests of bayesglmm.families."""
