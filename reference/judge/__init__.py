"""Hold one implementation against another: load it, run it, bring what it returns to one form, and compare."""
