"""Tests of the design: tables, columns, groups, checks, priors."""
