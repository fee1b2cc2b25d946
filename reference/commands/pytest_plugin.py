"""The options of `pytest --candidate FILE.py`. As a plugin, it is loaded before pytest looks for tests."""

from __future__ import annotations

import pytest

from reference.data.text import TOPICS


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare --candidate and --text; the suite's conftest.py acts on them."""
    group = parser.getgroup("twingrad")
    group.addoption("--candidate", metavar="MODULE|FILE.py", help="compare this implementation with both twins")
    group.addoption("--text", metavar="FILE", default=TOPICS, help="a UTF-8 text for the text cases")
