"""The fit spec: schema, loading with every mistake explained, resolution to data and model, running."""

from __future__ import annotations

from ..lazy import loader

_PUBLIC = {  # no function bears its module's name: importing the module would hide it
    "Spec": "schema",
    "load_spec": "load",
    "parse_spec": "load",
    "check_spec": "check",
    "Context": "resolve",
    "resolve_spec": "resolve",
    "run_spec": "run",
    "fit": "run",
    "SpecResult": "run",
}

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
