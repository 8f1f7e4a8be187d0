"""The parameters of networks as docs/networks.md lists them."""

from typing import Any

from gbdist.estimators.networks.parameters import TABLE
from gbdist.estimators.networks.presets import OF_REGRESSORS, PRESETS


def parameters_text() -> str:
    """A table in Markdown: name, values, and what each preset says."""
    presets = list(PRESETS)
    lines = [
        "| parameter | values | " + " | ".join(f"`{preset}`" for preset in presets) + " |",
        "|---|---|" + "---|" * len(presets),
    ]
    for name, rule in TABLE.items():
        says = [_said(preset, name) for preset in presets]
        lines.append(f"| `{name}` | {rule.expected} | {' | '.join(says)} |")
    return "\n".join(lines) + "\n"


def _said(preset: str, name: str) -> str:
    said = _shown(PRESETS[preset].get(name))
    return f"{said}, of regressors {_shown(OF_REGRESSORS[preset][name])}" if name in OF_REGRESSORS[preset] else said


def _shown(value: Any) -> str:
    return "" if value is None else f"`{value!r}`"
