"""Files to practise on: scans of nickel and of nickel oxide, simulated, three of the oxide with a drifting monochromator."""

from dataclasses import replace

import xasuite as xs


def scans(crystal: str, name: str, drifts: list[float], noise: float) -> None:
    """Scans of a crystal with S02 = 0.85, each drifted by some eV."""
    paths = [p for p in xs.find_paths(crystal, absorber="Ni") if p.reff < 5.2]
    truth = [xs.simulate.TruthPath(p, n=p.degen, s02=0.85, sigma2=2e-3 * p.reff) for p in paths]
    for i, drift in enumerate(drifts, start=1):
        made = xs.simulate.spectrum(truth, element="Ni", noise=noise, seed=i)
        label = f"{name}_{i}"
        xs.write(f"{label}.xdi", replace(xs.shift(made.spectrum, drift), label=label))


scans("Ni", "foil", [0.0], noise=5e-4)
scans("NiO", "oxide", [0.0, 0.4, -0.3], noise=1e-3)
