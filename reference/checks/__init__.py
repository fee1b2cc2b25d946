"""Checks of what a user has written: implementations of models, any function, a backward pass, an optimizer."""
