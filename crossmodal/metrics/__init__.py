"""How good a ranking is: kernels, whole-gallery evaluation, significance, TREC files."""
