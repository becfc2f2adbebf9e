"""The table of a group's observations, one column each."""

BASE, FIRST, SECOND, Y, SIZE, SIGMA_FIRST, SIGMA_SECOND, CENTER, LINE, STEP, OUT, OUT_FIRST, OUT_SECOND = range(13)
"""Rows of the table of a group's observations: predictor without effects, its change per unit of either effect, weighted successes and
trials, change along either axis of the nodes, predictor at the mode, at a line's node zero, its change per node; then sums over nodes."""
N_COLUMNS = 13
PADDING = 8
"""Whole vector registers of observations without trials follow the last."""
