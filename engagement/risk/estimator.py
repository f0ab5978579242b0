"""scikit-learn's way with parameters, without importing scikit-learn."""

from __future__ import annotations

import inspect
from typing import Any


class Estimator:
    """`get_params` and `set_params` over the constructor's arguments, so that `sklearn.base.clone` works.

    What is learnt ends in an underscore and is no parameter.
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments, by name."""
        names = [name for name in inspect.signature(type(self).__init__).parameters if name != "self"]
        return {name: getattr(self, name) for name in names}

    def set_params(self, **params: Any) -> Estimator:
        """Change parameters by name. Raises ValueError for a name that is none."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise ValueError(f"{type(self).__name__} has no parameter {name}; it has {', '.join(known)}.")
            setattr(self, name, value)
        return self
