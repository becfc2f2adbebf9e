"""One self-contained page of checks, numbers and pictures for a fit, with its twin in JSON."""
