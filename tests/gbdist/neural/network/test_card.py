"""Networks on a real card: what comes out is NumPy's, within the tolerance of the precision, and the same each time."""

from dataclasses import replace

import numpy as np
import pytest

from gbdist.neural.network.arrays import card_arrays
from gbdist.neural.network.blocks import Noise
from gbdist.neural.network.network import Network
from gbdist.neural.network.numbers import RELU_TOLERANCES, TOLERANCES
from gbdist.neural.network.spec import ACTIVATIONS, LOSSES, NUMERIC_EMBEDDINGS

from ..cards import needs_card
from .rows import batch_for, gradient_of
from .test_network import EMBEDDING, off

pytestmark = needs_card


@pytest.mark.parametrize("precision", ["float64", "float32", "fp16", "bf16"])
@pytest.mark.parametrize("embedding", NUMERIC_EMBEDDINGS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_on_a_card_the_same_comes_out(loss: str, activation: str, embedding: str, precision: str) -> None:
    spec = replace(
        EMBEDDING, hidden=(64, 64, 32), loss=loss, activation=activation, numeric_embedding=embedding,
        label_smoothing=0.0 if loss == "squared_error" else 0.1,
    )  # fmt: skip
    here, there, batch = Network(spec, precision), Network(spec, precision, card_arrays(0)), batch_for(spec, 1_500)
    flat, noise = here.initial(4).astype(here.dtype), Noise(1, 2)
    assert off(there.outputs(flat, batch), here.outputs(flat, batch)) <= TOLERANCES[precision]
    expected, found = gradient_of(here, flat, batch, noise), gradient_of(there, flat, batch, noise)
    assert type(found) is np.ndarray
    assert off(found, expected) <= (RELU_TOLERANCES if activation == "relu" else TOLERANCES)[precision]
    np.testing.assert_array_equal(gradient_of(there, flat, batch, noise), found)
