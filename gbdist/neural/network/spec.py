"""What a network looks like: everything that decides its parameters' number, order and meaning, and what it computes."""

from dataclasses import dataclass
from typing import Final

#: What a hidden unit may do. The first four are scikit-learn's.
ACTIVATIONS: Final = ("identity", "logistic", "tanh", "relu", "silu")
#: Losses and what the raw outputs become with each: numbers, probabilities of one label each, probabilities of classes.
LOSSES: Final = {"squared_error": "identity", "binary_log_loss": "logistic", "log_loss": "softmax"}
NUMERIC_EMBEDDINGS: Final = ("none", "periodic", "piecewise")


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A multilayer perceptron on numbers and categories.

    Parameters
    ----------
    n_numeric : int
        Numeric inputs.
    hidden : tuple of int
        Units of each hidden layer, from the input on; none: a linear model.
    n_outputs : int
        Raw outputs of a row: labels for ``squared_error`` and ``binary_log_loss``, classes for ``log_loss``.
    loss : one of LOSSES
    activation : one of ACTIVATIONS
    categories : tuple of int
        Of each categorical input, how many codes it has; code 0 stands for every category that was not seen in training.
    category_sizes : tuple of int
        Length of the vector that each categorical input becomes.
    numeric_embedding : one of NUMERIC_EMBEDDINGS
        What each number becomes before the first layer: itself; a learned layer on sines and cosines of learned frequencies
        ("periodic"), or on its place among ``edges`` ("piecewise", linear within a bin); Gorishniy et al., "On Embeddings for
        Numerical Features in Tabular Deep Learning", 2022, sections 3.2 and 3.3.
    embedding_size : int
        Length of the vector that a number becomes, where it becomes one.
    frequencies : int
        Frequencies of each number with "periodic".
    frequency_scale : float
        Standard deviation of the frequencies at the start.
    edges : tuple of tuple of float
        Of each numeric input, where its bins begin and end with "piecewise", ascending, at least two.
    dropout : float
        Share of the hidden units that are left out of a row's step, 0 ≤ dropout < 1.
    residual : bool
        Whether a hidden layer that is as wide as the one before it is added to that one's output.
    label_smoothing : float
        Share of a label that is spread evenly over all classes, 0 ≤ share < 1; not with ``squared_error``.
    """

    n_numeric: int
    hidden: tuple[int, ...]
    n_outputs: int
    loss: str
    activation: str = "relu"
    categories: tuple[int, ...] = ()
    category_sizes: tuple[int, ...] = ()
    numeric_embedding: str = "none"
    embedding_size: int = 0
    frequencies: int = 0
    frequency_scale: float = 0.0
    edges: tuple[tuple[float, ...], ...] = ()
    dropout: float = 0.0
    residual: bool = False
    label_smoothing: float = 0.0

    @property
    def output(self) -> str:
        """What the raw outputs become: "identity", "logistic" or "softmax"."""
        return LOSSES[self.loss]

    @property
    def embeds(self) -> bool:
        """Whether numbers or categories become vectors before the first dense layer."""
        return self.numeric_embedding != "none" or bool(self.categories)
