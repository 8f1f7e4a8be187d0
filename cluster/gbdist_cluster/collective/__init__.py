"""How the ranks of a gang talk.

``wire`` packs cells, ``algorithms`` say who sends what to whom, ``choice`` picks one of them for each call. Below them
is a ``channel``: of ``threads`` in one process, or between Dask workers (``comm``, ``comm_channel``), where an
``endpoint`` on each worker lets the others in and a ``link`` is one connection.
"""
