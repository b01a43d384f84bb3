"""Run the notebooks top to bottom and keep their outputs: ``python notebooks/run.py [NAME ...]``.

Each is run in its own kernel with this folder as the working directory, so that the specs of ../fits are found.
"""

from __future__ import annotations

import base64
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LIMIT = 900  # s: a cell that takes longer hangs


def run(path: Path) -> tuple[Any, float]:
    """The notebook with fresh outputs, and the seconds it took. Raises nbclient's CellExecutionError."""
    import nbclient
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=LIMIT, kernel_name="python3", resources={"metadata": {"path": str(HERE)}},
        record_timing=False,
    )  # fmt: skip
    start = time.perf_counter()
    client.execute()
    _slim(notebook)
    return notebook, time.perf_counter() - start


def _slim(notebook: Any) -> None:
    from xasuite.report.display import slim

    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            png = output.get("data", {}).get("image/png")
            if png:
                output["data"]["image/png"] = base64.b64encode(slim(base64.b64decode(png))).decode()


def main(names: list[str]) -> None:
    """Run those whose file name begins with one of `names`, all if none, and write them back."""
    import nbformat

    for path in sorted(HERE.glob("*.ipynb")):
        if names and not path.name.startswith(tuple(names)):
            continue
        notebook, seconds = run(path)
        nbformat.write(notebook, path)
        sys.stdout.write(f"{path.name}: {seconds:.1f} s, {path.stat().st_size / 1e3:.0f} kB\n")


if __name__ == "__main__":
    main(sys.argv[1:])
