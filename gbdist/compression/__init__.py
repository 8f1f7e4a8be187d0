"""Smaller ensembles: passes over trained models, what they cost, and which to take for a target (decision 0053)."""
