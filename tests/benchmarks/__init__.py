"""What fits cost: beside the peers, as data grow, on large data, and in memory over many fits. The README has the commands."""
