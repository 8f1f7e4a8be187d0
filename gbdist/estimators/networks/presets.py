"""What each preset says of every parameter that was left out."""

from typing import Any, Final

#: Whatever the preset.
_ALWAYS: Final[dict[str, Any]] = {
    "random_state": 0,
    "warm_start": False,
    "power_t": 0.5,
    "momentum": 0.9,
    "nesterovs_momentum": True,
    "beta_1": 0.9,
    "beta_2": 0.999,
    "epsilon": 1e-8,
    "shuffle": True,
    "validation_fraction": 0.1,
    "frequencies": 48,
    "frequency_scale": 0.01,
    "label_smoothing": 0.0,
    "task_type": "CPU",
    "strategy": "sync",
    "sync_period": 16,
    "sync_groups": 1,
    "staleness": 1,
    "model_ranks": 0,
    "micro_batches": 4,
    "compression": "none",
    "kept_share": 0.01,
    "save_snapshot": False,
}

#: scikit-learn's defaults, and nothing that it does not do.
SKLEARN: Final[dict[str, Any]] = _ALWAYS | {
    "hidden_layer_sizes": (100,),
    "activation": "relu",
    "solver": "adam",
    "alpha": 1e-4,
    "batch_size": "auto",
    "learning_rate": "constant",
    "learning_rate_init": 1e-3,
    "max_iter": 200,
    "tol": 1e-4,
    "early_stopping": False,
    "n_iter_no_change": 10,
    "scaling": "none",
    "numeric_embedding": "none",
    "embedding_size": 16,
    "dropout": 0.0,
    "residual": False,
    "warm_up": 0.0,
    "decoupled": False,
    "precision": "float64",
}

#: What measured better on tables (docs/decisions/0041).
TABULAR: Final[dict[str, Any]] = _ALWAYS | {
    "hidden_layer_sizes": (256, 256),
    "activation": "relu",
    "solver": "adam",
    "alpha": 1e-2,
    "batch_size": "auto",
    "learning_rate": "cosine",
    "learning_rate_init": 1e-3,
    "max_iter": 40,
    "tol": 0.0,
    "early_stopping": True,
    "n_iter_no_change": 10,
    "scaling": "quantile",
    "numeric_embedding": "piecewise",
    "embedding_size": 24,
    "dropout": 0.3,
    "residual": True,
    "warm_up": 1.0,
    "decoupled": True,
    "precision": "float32",
}

PRESETS: Final = {"tabular": TABULAR, "sklearn": SKLEARN}
#: What they say otherwise of regressors: numbers are met exactly, so what is left out at random is missed.
OF_REGRESSORS: Final[dict[str, dict[str, Any]]] = {"tabular": {"dropout": 0.0}, "sklearn": {}}

#: scikit-learn's batch where it says "auto", of data that has as many rows.
_SKLEARN_BATCH = 200
#: Batches of ``preset="tabular"``, each with the fewest steps of an epoch for which the next larger one is taken.
_BATCHES = ((32, 24), (64, 24), (128, 24), (256, 256), (512, 256))
_LARGEST = 1024


def automatic_batch(preset: str, n_rows: int) -> int:
    """Rows of a batch with ``batch_size="auto"``: scikit-learn's min(200, n_rows), or a power of two that grows with the data."""
    if preset == "sklearn":
        return min(_SKLEARN_BATCH, n_rows)
    size = next((size for size, steps in _BATCHES if n_rows <= size * steps), _LARGEST)
    return min(size, n_rows)


def said_by(preset: str, *, classifier: bool) -> dict[str, Any]:
    """What a preset says of an estimator."""
    return PRESETS[preset] if classifier else PRESETS[preset] | OF_REGRESSORS[preset]
