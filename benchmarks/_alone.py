"""A series in a process of its own, so that its time and its memory are its own.

``python -m benchmarks._alone SPEC DATA OUTPUT`` runs it on one thread and prints what came of it as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks._measure import Skipped, python, seconds_of

STATUS = Path("/proc/self/status")


def peak_memory() -> float:
    """The most memory that this process held, in MB.

    Linux's VmHWM belongs to the program alone; ru_maxrss would hold what the parent had when it forked.
    """
    line = next(x for x in STATUS.read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def series_alone(spec: Path, data: Path, output: Path) -> dict[str, Any]:
    """{"seconds", "rows", "ok", "audited", "audit_largest", "file", "peak_mb", "processor_s", "beside_processor_s"} of a run from scans to the table."""
    if not STATUS.exists():
        raise Skipped("peak memory is read from /proc/self/status, which this system does not have")
    seconds, printed = seconds_of(python("-m", "benchmarks._alone", str(spec), str(data), str(output)))
    return {"seconds": seconds, **json.loads(printed)}


def main(spec: str, data: str, output: str) -> None:
    """Run the series and print what came of it."""
    import multiprocessing
    import resource
    import time
    import warnings

    from xasuite._series import series

    warnings.simplefilter("ignore")
    run = series(spec, data_root=data, output=output, threads=1, progress=False)
    peak = peak_memory()  # before the table is looked at
    for process in multiprocessing.active_children():  # the audit's: its time is known when it has ended
        process.join(60)
    beside = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {
        "rows": len(run),
        "ok": int((run.table["status"] == "ok").sum()),
        "audited": run.audit["n"],
        "audit_largest": run.audit["largest"],
        "file": str(run.path),
        "peak_mb": peak,
        "processor_s": time.process_time(),
        "beside_processor_s": beside.ru_utime + beside.ru_stime,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
