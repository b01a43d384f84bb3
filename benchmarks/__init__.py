"""Speed and agreement, measured side by side: ``python -m benchmarks [NAME ...] [--json] [--write]``.

One module a benchmark, named like it, with ``run() -> dict``: "ratio", "ours_per_s", "peer_per_s", "threads", and
"work", "peer" and "wanted" for the table. Modules that start with an underscore are shared.
"""
