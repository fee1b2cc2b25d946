"""The pairs, shown side by side: in the terminal, or as a folder of pages.

`pairs/*.toml` say which lines of NumPy and PyTorch compute the same thing, and why. `align` finds those lines in the
modules. `terminal` prints them. `page` makes the folder, with recorded `numbers` and with `evidence` from runs.
"""
