"""The audit of a spec: Larch repeats its fits, once for each combination of spec, data and versions, and the result is cached."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ..exafs.audits import ALLOWED, audit_fit
from ..feff import cache

if TYPE_CHECKING:
    from .run import SpecResult

_ROOM = "audits"


@dataclass(frozen=True)
class SpecAudit:
    """The largest difference between a spec's fits and Larch's of the same chi(k), in standard errors.

    `parameter` and `row` say where it is; `stderr` and `rfactor` are the largest relative differences of the errors and of
    the R factor; `rows` is how many fits were repeated, `larch` Larch's version.
    """

    difference: float
    parameter: str
    row: str
    stderr: float
    rfactor: float
    rows: int
    larch: str

    @property
    def passed(self) -> bool:
        """Whether Larch agrees to 0.01 standard errors."""
        return self.difference <= ALLOWED

    def __str__(self) -> str:
        if self.passed:
            return f"Larch agrees to {self.difference:.1g} standard errors"
        return (
            f"Larch differs by {self.difference:.2g} standard errors in {self.parameter} of {self.row} "
            f"({ALLOWED:g} is allowed): do not use this fit before you know why"
        )


def audit_spec(result: SpecResult, *, again: bool = False) -> SpecAudit | None:
    """Compare the fits of a spec with Larch's; the result is taken from the cache where the same fits were audited before.

    Parameters
    ----------
    result : SpecResult
        Rows whose fit has no minimum or no errors are left out.
    again : bool
        Repeat the fits although they were audited before.

    Returns
    -------
    SpecAudit or None
        None where there is nothing to audit, or Larch itself was the spec's engine.

    Examples
    --------
    >>> from xasuite.references import fits_dir
    >>> from xasuite.specs import load_spec
    >>> from xasuite.workflow import audit_spec, run_spec
    >>> found = audit_spec(run_spec(load_spec(fits_dir() / "foils" / "co_foil_closure.toml"), variants=False))
    >>> found is not None
    True
    """
    # Larch repeats the fit, not the error budget made about it
    stated = [f.stated or f for f in result.rows]
    fits = [f for f in stated if f.engine != "larch" and f.status in ("ok", "at bound")]
    if not fits:
        return None
    made = asdict(result.provenance) | {"time": "", "spec": ""}
    held = [(p.name, p.value.value) for f in fits for p in f.parameters if p.kind == "inherited"]
    key = cache.key(
        {"provenance": json.dumps(made, sort_keys=True), "inherited": json.dumps(held)}, extra="audit"
    )
    kept = None if again else cache.load(key, _ROOM)
    if kept is not None:
        return SpecAudit(**json.loads(kept["audit.json"]))
    epsilon = result.loaded.spec.fit.epsilon_k
    found = [
        (f.label, audit_fit(f, [result.inputs[d.label].chi for d in f.data], epsilon_k=epsilon)) for f in fits
    ]
    row, worst = max(found, key=lambda pair: pair[1].difference)
    audit = SpecAudit(
        difference=worst.difference,
        parameter=worst.parameter,
        row=row,
        stderr=max(d.stderr for _, d in found),
        rfactor=max(d.rfactor for _, d in found),
        rows=len(found),
        larch=result.provenance.versions["xraylarch"],
    )
    cache.store(key, {"audit.json": json.dumps(asdict(audit)).encode()}, _ROOM)
    return audit
