"""Approximate likelihoods: for starts, for comparison, for teaching. Imports rows 0-5; never PyMC, never a sampler."""
