"""NUTS: starts, one file per sampler, and the run. Imports rows 0-6."""
