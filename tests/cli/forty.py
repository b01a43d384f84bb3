"""Mistakes of a new user as commands, forty and more. `python -m tests.cli.forty` writes what they are answered with to mistakes.txt."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from xasuite.cli import main
from xasuite.references import fits_dir

GOLDEN = Path(__file__).with_name("mistakes.txt")

# Commands; {name} is a spec of `SPECS` or a file of `FILES`
COMMANDS = (
    "fti co.toml",
    "mrege a.dat b.dat",
    "--hepl",
    "fit",
    "fit nowhere.toml",
    "fit c.toml",
    "fit .",
    "fit short.dat",
    "fit {FITS}/sno2/tpr.toml",
    "series co.toml",
    "valence co.toml",
    "reproduce nowhere",
    "check nowhere.toml",
    "show nowhere.dat",
    "show short.dat",
    "show empty.dat",
    "show text.dat",
    "new short.dat --crystal Cu",
    "new step.dat --crystal Unobtanium",
    "new step.dat --crystal Co_hcp",
    "crystals unobtainium",
    "paths Cu",
    "paths Cuu --absorber Cu",
    "plot nowhere.xdi",
    "lcf step.dat --ref step.dat --energy 8950,9050",
    "lcf step.dat --ref step.dat --energy-range 8950-9050",
    "lcf step.dat --ref step.dat --energy-range 9050,8950",
    "edge step.dat --fraction 2",
    "figure nowhere",
    "report nowhere",
    "check wrong_type.toml",
    "check wrong_key.toml",
    "check no_file.toml",
    "check unknown_window.toml",
    "check no_such_path_name.toml",
    "fit beyond_data.toml",
    "check ends_crossed.toml",
    "check several.toml",
    "check half_written.toml",
    "check unknown_function.toml",
    "new co.toml",
    "new step.dat co.toml --crystal Cu",
    "new step.dat --crystal step.dat",
    "new step.dat --crystal Cu -o .",
    "new step.dat --crystal Cu --absorber Xx",
    "new step.dat --crystal Cu --s02 abc",
    "new step.dat --crystal Cu --s02 -1",
    "new step.dat --crystal Cu --foil --s02 0.8",
    'fit ""',
    "fit co.toml -o step.dat",
    "explore --port abc co.toml",
    "explore --port 99999 co.toml",
    "show co.toml",
    "figure fit nowhere",
    "plot step.dat --as chi",
    "plot step.dat --kweight 9",
    "plot step.dat -o plot.docx",
    "compare co.toml",
    "compare co.toml co.toml",
    "closure co.toml --seeds 2",
    "convert nowhere.prj -o specs",
    "paths Cu --absorber Cu --radius 100",
    "paths step.dat --absorber Cu",
    "peaks step.dat --peak 8979 --kind banana --energy-range 8970,8990",
    "layouts extra",
    "convert step.dat",
    "fit --output",
    "new step.dat --crystal empty.cif",
    "show nothing.dat",
    "show cut.h5",
)

FILES = {
    "short.dat": "# energy mu\n8900 0.1\n8950 0.12\n",
    "empty.dat": "",
    "text.dat": "Dear colleague,\nthe data will follow.\n",
    "empty.cif": "data_x\n_cell_length_a 3\n",
    "nothing.dat": "# energy mu\n" + "".join(f"{8800 + e} nan\n" for e in range(100)),
    "cut.h5": "\x89HDF\r\n\x1a\n" + "0" * 100,
    "step.dat": "# energy(eV) mu\n"
    + "".join(f"{8800 + e} {0.1 + (1.0 if e > 179 else 0.0) + 1e-5 * e:.5f}\n" for e in range(0, 900, 3)),
}

# What is put in place of what in the spec of the simulated cobalt foil
SPECS: dict[str, tuple[tuple[str, str], ...]] = {
    "co.toml": (),
    "wrong_type.toml": (("n = 12", 'n = ["twelve"]'), ("enot = { guess = 0.0 }", "enot = 6")),
    "wrong_key.toml": (("rbkg = 1.0", "rbgk = 1.0"),),
    "no_file.toml": (('simulate = { row = "Co foil", noise = 3e-4, seed = 7 }', 'file = "co_foil.xdi"'),),
    "unknown_window.toml": (('"hanning"', '"bessel"'),),
    "no_such_path_name.toml": (('deltar = "dr1"', 'deltar = "dr2"'),),
    "beyond_data.toml": (("k = [3.0, 11.0]", "k = [3.0, 31.0]"),),
    "ends_crossed.toml": (("r = [1.0, 3.0]", "r = [3.0, 1.0]"),),
    "several.toml": (
        ("rbkg = 1.0", "rbkg = -1"),
        ("kweight = [3]", "kweight = [9]"),
        ('crystal = "Co_hcp"', 'crystal = "Co_hpc"'),
        ('"ss1"', '"ss"'),
    ),
    "half_written.toml": (('e0 = "enot"', 'e0 = "enot'),),
    "unknown_function.toml": (('sigma2 = "ss1"', 'sigma2 = "sqr(ss1)"'),),
}


def write(folder: Path) -> None:
    """The files that the commands name."""
    text = (fits_dir() / "foils" / "co_foil_closure.toml").read_text(encoding="utf-8")
    for name, content in FILES.items():
        (folder / name).write_text(content, encoding="latin-1", newline="")
    for name, changes in SPECS.items():
        changed = text
        for old, new in changes:
            assert old in changed, (name, old)
            changed = changed.replace(old, new, 1)
        (folder / name).write_text(changed, encoding="utf-8")


def transcript(folder: Path) -> str:
    """Every command as typed in the folder, its answer and its exit code."""
    write(folder)
    lines: list[str] = []
    here = Path.cwd()
    os.chdir(folder)
    try:
        for command in COMMANDS:
            out, err = io.StringIO(), io.StringIO()
            plt.close("all")  # figures of other tests
            code: object = 0
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    main(shlex.split(command.format(FITS=fits_dir().as_posix())))
                except SystemExit as exc:
                    code = exc.code or 0
            said = (
                (out.getvalue() + err.getvalue())
                .replace(str(fits_dir()), "fits")
                .replace(str(folder), "FOLDER")
            )
            lines += [f"$ xasuite {command.format(FITS='fits')}", said.rstrip(), f"[exit code {code}]", ""]
    finally:
        os.chdir(here)
    return "\n".join(lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        GOLDEN.write_text(transcript(Path(made)), encoding="utf-8")
