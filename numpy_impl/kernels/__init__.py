"""What makes the NumPy twin fast: each function beside the plain one that it must equal.

`plain_rows_of` says in a few lines of NumPy what is computed, and for which arguments; `rows_of` computes the same. The
tests hold the one to the other.
"""
