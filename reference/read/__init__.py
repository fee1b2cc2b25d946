"""The pairs to be read side by side: in the terminal, or as a folder of pages.

`pairs/*.toml` say which lines of NumPy and of PyTorch compute the same, and why; `align` finds those lines in the
modules as they are. `terminal` prints them. `page` makes the folder, with `numbers` that flowed through and `evidence`
of runs.
"""
