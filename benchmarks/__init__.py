"""Speed and agreement, measured side by side: ``python -m benchmarks [NAME ...] [--json] [--write]``.

One module a benchmark, named like it, with ``run() -> dict``: "ratio", "ours_per_s", "peer_per_s", "threads", and
"work", "peer" and "wanted" for the table; without "ratio" whatever else it holds are its figures. A module that says
``ONLY_WHEN_NAMED = True`` takes minutes: it is left out where no benchmark is named. Modules that start with an
underscore are shared.
"""

import os

# one core each, set before numpy starts its threads
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[_name] = "1"
