"""Hold one implementation against another: load, run, one form, distance, result."""
