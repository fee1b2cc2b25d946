"""The fast functions of the NumPy twin, each next to the plain one that it must equal.

For example, `plain_rows_of` shows in a few lines of NumPy what is computed, and for which arguments. `rows_of` computes
the same. The tests compare the two.
"""
