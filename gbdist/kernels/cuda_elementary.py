"""The functions of ``elementary`` and ``hashing`` for CUDA kernels: same source, same bits."""

import math

from gbdist.kernels import elementary, hashing
from gbdist.kernels.cuda_compile import choose, device_function, times

_functions = elementary.functions(choose, times, math.sqrt, device_function)

exp = _functions.exp
log = _functions.log
decay = _functions.decay
sigmoid_of_decay = _functions.sigmoid_of_decay
softplus_of_decay = _functions.softplus_of_decay
sigmoid = _functions.sigmoid
normal_quantile = _functions.normal_quantile

hash_number, unit_draw = hashing.draws(times, device_function)
