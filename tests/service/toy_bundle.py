"""What tests must know of the toy bundle to write vectors of their own."""

DIM = 8
