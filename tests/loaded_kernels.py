"""What worker processes of tests are forked with beside modules: kernels of a fit, which each would take from the disk again.

Numba fills its tables of types once a process, with the first kernel: a third of a second of a core, and each kernel adds 10 ms.
"""

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.loop import boost

from .gbdist.conftest import make_table, params_of

_table = make_table(50)
boost(_table.rows, [_table.rows], _table.n_bins, params_of(_table.rules((0,)), iterations=2), SingleRank())
