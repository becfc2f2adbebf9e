"""What a fit means: arithmetic on draws. Imports rows 0-6 (numerics, families, spec, design, fit); never PyMC, never a sampler."""
