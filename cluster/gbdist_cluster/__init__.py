"""The Dask side of gbdist: run a routine on a gang of workers that hold shards and talk through a collective.

Knows nothing of boosting. Importing this package is light: dask and distributed load with the modules that need them.
"""
