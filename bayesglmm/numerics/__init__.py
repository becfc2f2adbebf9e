"""Pure functions on arrays: numpy and scipy only. Imports row 0 (errors, types) and nothing above it."""
