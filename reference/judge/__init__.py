"""Compare implementations: load them, run them, convert what they return to one form, and compare."""
