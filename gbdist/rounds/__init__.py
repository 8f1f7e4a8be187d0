"""Rounds of native CatBoost: every rank trains on its own rows, and the models are merged (``aggregate="models"``).

``loop.py`` is the whole algorithm; ``spec.py`` what it is told; ``schedule.py`` and ``ahead.py`` when ranks train and meet;
``training.py`` what a rank trains, ``native.py`` the only place that does; ``merged.py`` what becomes of it.
"""
