"""Single scattering at a distance that no structure has, against FEFF's own paths of structures that have it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.copper import copper_spec
from xasuite.errors import CrystalError, SpecError
from xasuite.feff import find_paths, load_crystal, select, single_path
from xasuite.report.methods import methods
from xasuite.specs import parse_spec
from xasuite.workflow.paths import other_paths, path_models
from xasuite.workflow.resolve import Context
from xasuite.workflow.run import run_spec

K = np.linspace(3, 15, 200)


@pytest.mark.parametrize("program", ["feff6l", "feff8l"])
def test_with_a_structures_potentials_it_is_that_structures_path(program: str) -> None:
    """FEFF's path finder and a given distance: the same amplitude and phase, but for how FEFF rounds the place of the atom."""
    crystal = load_crystal("FeS2")
    theirs = find_paths("FeS2", absorber="Fe", program=program)
    for shell in (1, 2):
        far = select(theirs, scatterer="S", shell=shell)
        ours = single_path("S", far.reff, absorber="Fe", crystal=crystal, program=program)
        assert (ours.reff, ours.degen) == (far.reff, 1.0)
        np.testing.assert_allclose(ours.amp, far.amp, atol=2e-5)
        np.testing.assert_allclose(ours.pha, far.pha, atol=2e-3)


def test_rock_salt_holds_for_a_first_shell_only() -> None:
    """Artemis's manual shows pyrite: its quick first shell lies on FEFF's, a second one made that way does not."""
    theirs = find_paths("FeS2", absorber="Fe", program="feff6l")
    off = []
    for shell in (1, 2):
        far = select(theirs, scatterer="S", shell=shell)
        quick = single_path("S", far.reff, absorber="Fe", program="feff6l")
        amplitude = np.interp(K, quick.k, quick.amp) / np.interp(K, far.k, far.amp)
        off.append(float(np.abs(amplitude - 1).max()))
    assert off[0] < 0.05 < 0.2 < off[1]


def test_no_number_of_atoms_is_expected_of_it() -> None:
    """Copper with twelve neighbours by a path of one: the verdict compares N with no crystal, and the methods name rock salt."""
    here = Path(__file__).parents[1] / "workflow/ifeffit"
    spec = copper_spec(
        f'label = "Cu"\nfile = "{here / "cu.xmu"}"',
        "n = { guess = 6 }\nenot = { guess = 0 }\ndr = { guess = 0 }\nss = { guess = 0.005 }",
        'label = "Cu-Cu"\nscatterer = "Cu"\ndistance = 2.55\nn = "n"\ns02 = 0.9\ne0 = "enot"\ndeltar = "dr"\nsigma2 = "ss"',
        top='errors = "fit"',
    )
    result = run_spec(parse_spec(spec, "cu.toml"))
    assert result.rows[0].paths[0].n.value == pytest.approx(12, abs=1.5)
    assert not any("crystal" in reason for reason in result.verdicts["Cu"].reasons)
    assert "FEFF8L [@feff8l] for rock salt of absorber and scatterer." in methods(result.to_dict())


def test_a_spec_names_the_distance() -> None:
    text = copper_spec(
        'label = "a"\nfile = "a.xdi"',
        "n = { guess = 4 }",
        'label = "quick"\nscatterer = "O"\ndistance = 1.95\nn = "n"',
        'label = "far"\ncrystal = "CuO"\nscatterer = "Cu"\ndistance = 3.2',
        title="copper in water", k="[3, 11]", r="[1, 2]",
    )  # fmt: skip
    loaded = parse_spec(text, Path("s.toml"))
    quick, far = path_models(loaded, Context())
    assert (quick.feff.scatterers, quick.feff.reff) == (("O",), 1.95)
    assert (far.feff.reff, far.n({})) == (3.2, 1.0)
    assert other_paths(loaded, {"far": far.feff}, "feff6l")["far"].origin.endswith("feff6l, Cu at 3.2 A")
    for old, new, error, said in (
        ('scatterer = "O"\n', "", SpecError, r'path "quick": distance goes with scatterer = "\.\.\."'),
        ("distance = 3.2", "distance = 3.2\nshell = 2", SpecError, r'path "far": distance goes with scatterer'),
        ('scatterer = "Cu"', 'scatterer = "Fe"', CrystalError, r's\.toml:24: path "far": CuO has no Fe to scatter; there are '),
        ("distance = 1.95", "distance = 0.2", CrystalError, "no path to O at 0.2 A: name an element and a distance"),
    ):  # fmt: skip
        assert old in text
        with pytest.raises(error, match=said):
            path_models(parse_spec(text.replace(old, new), Path("s.toml")), Context())
