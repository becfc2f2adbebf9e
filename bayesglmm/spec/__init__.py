"""What is asked: formula, priors, model files. Standard library only; imports nothing but row 0."""
