"""Passes: what makes an ensemble smaller, on ranks that hold the rows. Nothing here knows of a cluster."""
