"""The parameters of an estimator as scikit-learn wants them: stored as given, listed, cloned, pickled; checked at ``fit``."""

import copy
from typing import Any, Self

from sklearn.base import BaseEstimator, clone

#: What is about this process, and not about the model.
_OURS = frozenset({"client"})


class KeptParameters(BaseEstimator):  # type: ignore[misc]  # scikit-learn is not typed
    """Keeps what the user asked for, also under names that the signature does not have.

    Who inherits from it stores in ``__init__`` every parameter of its signature, and the others in ``_others``: not as
    attributes, for names that are not in the signature cannot be told from what ``fit`` leaves behind.
    """

    _others: dict[str, Any]
    client: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All parameters, the additional ones under the names they were given with."""
        params: dict[str, Any] = super().get_params(deep=deep)
        return params | self._others

    def set_params(self, **params: Any) -> Self:
        """Set parameters; any name is taken, ``fit`` refuses what it cannot use."""
        named = type(self)._get_param_names()
        for name, value in params.items():
            if name in named:
                setattr(self, name, value)
            else:
                self._others[name] = value
        return self

    def given_parameters(self) -> dict[str, Any]:
        """The parameters that the user has set, by the names used, aliases included; ``client`` is none."""
        given = {name: value for name, value in self.get_params(deep=False).items() if name not in _OURS}
        return {name: value for name, value in given.items() if value is not None}

    def __sklearn_clone__(self) -> Self:
        """Return an unfitted copy with the same parameters and the same client: a connection cannot be copied."""
        params = {
            name: value if name in _OURS else clone(value, safe=False)
            for name, value in self.get_params(deep=False).items()
        }
        twin = type(self)(**params)
        if hasattr(self, "_metadata_request"):  # what set_fit_request leaves
            twin._metadata_request = copy.deepcopy(self._metadata_request)
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the client, which is a connection of this process."""
        return dict(super().__getstate__()) | {"client": None}
