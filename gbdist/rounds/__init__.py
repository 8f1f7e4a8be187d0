"""Rounds of native CatBoost: every rank trains on its own rows, and the models are merged (``aggregate="models"``).

``loop.py`` is the whole algorithm; ``spec.py`` what it is told; ``native.py`` the only place that trains.
"""
