"""The functions of ``elementary`` and ``hashing`` for CUDA kernels: same source, same bits."""

import math

from gbdist.kernels import elementary, hashing
from gbdist.kernels.cuda_compile import choose, device_function, times

#: For the scalars of CUDA kernels.
CARD = elementary.functions(choose, times, math.sqrt, device_function)

exp = CARD.exp
log = CARD.log
decay = CARD.decay
sigmoid_of_decay = CARD.sigmoid_of_decay
softplus_of_decay = CARD.softplus_of_decay
sigmoid = CARD.sigmoid
normal_quantile = CARD.normal_quantile

hash_number, unit_draw = hashing.draws(times, device_function)
