"""Case studies: percent scripts through the public names of the package, and what runs, checks and prints them."""
