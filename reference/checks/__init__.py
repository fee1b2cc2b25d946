"""Checks for a user's own tests: any function, a function of PyTorch's, an optimizer alone."""
