"""A run on disk: its steps, and what it must be to go on from them (docs/decisions/0029)."""
