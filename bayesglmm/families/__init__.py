"""One file per family. numpy and scipy.special; imports numerics and row 0, nothing above."""
