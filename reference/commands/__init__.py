"""The command `twingrad`: one file a command, and what they share.

The docstring of a command's module is what its `--help` says.
"""
