"""A fit as a record: draws, diagnostics, verdict, provenance. Imports rows 0-3; never PyMC, never a sampler."""
