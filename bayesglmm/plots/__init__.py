"""One file per plot: takes a result record, computes nothing, returns a figure."""
