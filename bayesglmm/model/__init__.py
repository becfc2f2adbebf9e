"""The PyMC graph: what the model means. The only package that imports PyMC and PyTensor to build one; imports rows 0-4 and below."""
