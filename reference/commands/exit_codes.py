"""The exit codes."""

from __future__ import annotations

AGREE, DISAGREE, BAD_INPUT, NOTHING, INTERRUPTED = 0, 1, 2, 5, 130
"""The exit codes."""
