"""The command `twingrad`: one file for each command, and what they share.

The docstring of a command's module is the text of its `--help`.
"""
