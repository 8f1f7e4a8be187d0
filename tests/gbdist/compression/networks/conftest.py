"""Three workers in this process."""

from ...estimators import conftest as of_estimators

three_workers = of_estimators.three_workers
client = of_estimators.client
