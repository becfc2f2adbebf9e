"""Tests of the model files in models/."""
