"""What is done with a spec: it is resolved, run, checked, scored, and studied by closure."""

from __future__ import annotations

from ..lazy import by_module, loader

_PUBLIC = by_module(
    audit="audit_spec SpecAudit",
    check="check_spec",
    compare="Comparison compare_specs",
    resolve="Context resolve_spec",
    run="run_spec fit SpecResult",
    reproduce="Reproduction reproduce_specs",
    score="Cell score_result",
    posterior="Posterior sample_posterior",
)

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
