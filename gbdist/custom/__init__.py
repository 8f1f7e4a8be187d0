"""Losses and metrics that are objects of the user's: how their methods are called, and what of them is taken."""
