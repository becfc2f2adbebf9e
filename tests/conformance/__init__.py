"""Tests that loop over a registry: what is registered is tested."""
