"""The command `twingrad`: one file a command, and what they share."""
