"""How the files of this folder were made: copper simulated here, and fitted by Debian's ifeffit and feffit 1.2.11d.

python make.py writes cu.xmu and the paths, runs both programs (Debian package ifeffit) and writes what they print. The tests
read only what is written.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

import xasuite as xs

HERE = Path(__file__).parent


def main() -> None:
    """Data and paths by xasuite, numbers by Ifeffit."""
    paths = xs.find_paths("Cu", absorber="Cu", program="feff6l", radius=5.2)
    single = [p for p in paths if p.nleg == 2]
    for number, path in enumerate(single[:2], 1):
        (HERE / f"feff000{number}.dat").write_text(path.text)
    truth = [xs.simulate.TruthPath(p, n=p.degen, s02=0.9, sigma2=8e-3) for p in single]
    spectrum = xs.simulate.spectrum(truth, element="Cu", noise=3e-4, seed=1).spectrum
    rows = np.column_stack([spectrum.energy, spectrum.mu])
    np.savetxt(HERE / "cu.xmu", rows, fmt="%.4f %.7f", header="energy xmu")
    for script in ("mu.iff", "chi.iff", "restrained.iff", "start.iff", "spline.iff"):
        run = subprocess.run(
            ["ifeffit", "-x", script],
            cwd=HERE,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        (HERE / script.replace(".iff", ".out")).write_text(run.stdout)
    subprocess.run(["feffit"], cwd=HERE, capture_output=True, check=False)
    for beside in [*HERE.glob("feffit_fit*"), HERE / "feffit.prm", HERE / "feffit.run"]:
        beside.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
