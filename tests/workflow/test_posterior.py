"""The posterior over parameters and choices: against the error budget, resumed, as a command, a normal of known width."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xasuite.cli import main
from xasuite.errors import SpecError
from xasuite.exafs import sampling
from xasuite.references import fits_dir
from xasuite.specs import load_spec
from xasuite.specs.load import as_loaded
from xasuite.specs.schema import Spec
from xasuite.workflow import sample_posterior
from xasuite.workflow.posterior import _drawn
from xasuite.workflow.resolve import Context

emcee = pytest.importorskip("emcee")
SPEC = fits_dir() / "foils" / "co_foil_closure.toml"


def test_a_chain_is_gone_on_with(tmp_path: Path) -> None:
    first = sample_posterior(SPEC, steps=20, folder=tmp_path)
    begun = emcee.backends.HDFBackend(str(first.file)).get_chain()
    said: list[tuple[str, int, int]] = []
    longer = sample_posterior(
        SPEC, steps=40, folder=tmp_path, progress=lambda w, d=0, t=0: said.append((w, d, t))
    )
    chain = emcee.backends.HDFBackend(str(longer.file)).get_chain()
    assert ("sampling", 20, 40) in said
    assert (len(begun), len(chain), longer.steps) == (20, 40, 40)
    assert (chain[:20] == begun).all()
    # no step is walked again where the chain is long enough; another spec begins anew
    assert sample_posterior(SPEC, steps=40, folder=tmp_path).steps == 40
    other = tmp_path / "foils" / "co_foil_closure.toml"
    other.write_text(SPEC.read_text().replace("dk = 4.0", "dk = 3.0"))
    assert sample_posterior(other, steps=20, folder=tmp_path).steps == 20


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["posterior", str(SPEC), "--steps", "20", "-o", str(tmp_path), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert set(document["quantities"]) == {"s02", "enot", "dr1", "ss1", "Co-Co.r", "Co-Co.sigma2"}
    assert document["long_enough"] is False
    folder = tmp_path / "foils" / "co_foil_closure"
    assert {p.suffix for p in folder.glob("posterior_Co_foil.*")} == {".h5", ".json", ".png", ".pdf"}


def test_mistakes() -> None:
    with pytest.raises(SpecError, match='no row "Cu"; there are Co foil'):
        sample_posterior(SPEC, row="Cu", steps=20)
    spec = load_spec(SPEC).spec
    with pytest.raises(SpecError, match='errors = "fit" asks for none'):
        sample_posterior(spec.replace(errors="fit"), steps=20)
    with pytest.raises(SpecError, match="rows fitted together have no posterior"):
        sample_posterior(spec.replace(fit={"together": True}), steps=20)


@pytest.mark.parametrize("space", ["r", "k", "q"])
def test_one_choice_is_as_wide_as_its_noise(space: str) -> None:
    """Along each parameter the logarithm falls by 1/2 at one standard error of the noise, which test_spaces holds against its scatter.

    Curvature of the equation of EXAFS within an error: 0.1. In R the prior's share too.
    """
    loaded = as_loaded(load_spec(SPEC).spec.replace(fit={"space": space}), Spec)
    _, spectra, under = _drawn(loaded, None, Context())
    where = sampling.space(spectra, *under)
    target = where.targets[0]
    solution = target.problem.solution()
    # chi-square's own, not that of the prior, which is 10 and more errors wide
    noise = target.problem.noise(solution.x, solution.covar, target.carried[None])[0]
    assert np.sqrt(np.diag(target.scale @ target.scale.T)) == pytest.approx(np.sqrt(np.diag(noise)), rel=0.1)
    u = np.zeros(where.size)
    top = where.log_probability(u)
    for i in range(1, where.size):
        for side in (-1.0, 1.0):
            u[i] = side
            assert top - where.log_probability(u) == pytest.approx(0.5, abs=0.1)
        u[i] = 0.0


@pytest.mark.slow
@pytest.mark.parametrize("space", ["r", "k", "q"])
def test_equal_to_the_budget(tmp_path: Path, space: str) -> None:
    """Noise and choices: the middle within half an error, widths within a third.

    The budget takes the draws' median absolute deviation and the median of their noise; the posterior mixes the draws as they are, whose
    tails a robust width leaves out.
    """
    spec = load_spec(SPEC).spec.replace(fit={"space": space})
    found = sample_posterior(spec, steps=2000, folder=tmp_path)
    assert found.long_enough
    for name in found.names:
        own, budget = found.value(name), found.budget[name]
        assert abs(own.value - budget.value) < 0.5 * max(own.stderr, budget.stderr), name
        width = (own.plus + own.minus) / 2
        assert 0.67 < width / budget.stderr < 1.5, name
    assert np.isfinite(found.samples).all()
