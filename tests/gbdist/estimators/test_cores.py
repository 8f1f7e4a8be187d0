"""How many cores a fit in this process may use."""

import os
import threading

from gbdist.estimators.cores import cores, limited_to


def test_all_cores_are_used_unless_a_block_says_otherwise() -> None:
    found: list[int] = []
    with limited_to(1):
        assert cores() == 1
        other = threading.Thread(target=lambda: found.append(cores()))
        other.start()
        other.join()
    assert cores() == os.cpu_count()
    assert found == [os.cpu_count()]
