"""What is done with a spec: it is resolved, run, checked, scored, and studied by closure."""

from __future__ import annotations

from ..lazy import loader

_PUBLIC = {
    "audit_spec": "audit",
    "SpecAudit": "audit",
    "check_spec": "check",
    "Comparison": "compare",
    "compare_specs": "compare",
    "Context": "resolve",
    "resolve_spec": "resolve",
    "run_spec": "run",
    "fit": "run",
    "SpecResult": "run",
    "Cell": "score",
    "Reproduction": "reproduce",
    "reproduce_specs": "reproduce",
    "score_result": "score",
    "Posterior": "posterior",
    "sample_posterior": "posterior",
}

__all__ = list(_PUBLIC)


__getattr__ = loader(__name__, _PUBLIC)
