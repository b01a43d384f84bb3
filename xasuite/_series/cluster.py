"""A series on a Dask cluster. Whatever dies there, this process says so within a minute, and keeps the parts that came."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from ..errors import SeriesError
from .plan import Plan

T = TypeVar("T")
ATTEMPTS = 3  # of a chunk whose worker dies
AHEAD = 2  # chunks a worker has waiting: enough to keep it busy, few enough to bound memory
PATIENCE = 30.0  # seconds without a scheduler, or without a worker, after which the run ends: a nanny restarts one in ten
KEPT = "what was done is kept: run again with --resume, here or on a cluster"


def by_cluster(
    plan: Plan, chunks: Sequence[int], address: str, work: Callable[[Plan, int], T]
) -> Iterator[tuple[int, T]]:
    """(chunk, `work(plan, chunk)`) of each chunk as they are done on the cluster at `address`. Raises SeriesError."""
    client = _client(address)
    try:
        _compare(client)
        # a task and not scattered data: what dies with a worker is made again from the scheduler's own copy
        held = client.submit(_hand_over, plan, pure=False)
        waiting = deque(chunks)
        running: dict[Any, int] = {}

        def submit() -> None:
            chunk = waiting.popleft()
            running[client.submit(work, held, chunk, pure=False, retries=ATTEMPTS)] = chunk

        for _ in range(min(AHEAD * max(1, sum(client.nthreads().values())), len(waiting))):
            submit()
        while running:
            # in their order: of chunks that a dead worker held, the first is the one that it worked on
            for future in sorted(_done(client, list(running), address), key=running.__getitem__):
                chunk = running.pop(future)
                yield chunk, _result(future, chunk, address)
                future.release()
                if waiting:
                    submit()
    finally:
        client.close(timeout=5)


def _hand_over(plan: Plan) -> Plan:
    """The plan as a task's result."""
    return plan


def _done(client: Any, futures: list[Any], address: str) -> set[Any]:
    """Futures that are done, at least one. Raises SeriesError where the scheduler or the last worker is gone."""
    from distributed import wait

    since = {"scheduler": time.monotonic(), "worker": time.monotonic()}
    while True:
        try:
            with client.as_current():
                return set(wait(futures, timeout=1.0, return_when="FIRST_COMPLETED").done)
        except TimeoutError:
            pass
        except Exception as exc:  # noqa: BLE001 - cancelled futures, closed connections: each version has its own
            raise _gone(address, exc) from None
        now = time.monotonic()
        if client.status == "running":
            since["scheduler"] = now
            if client.scheduler_info(n_workers=-1)["workers"]:
                since["worker"] = now
        if now - since["scheduler"] > PATIENCE:
            raise _gone(address, "no answer")
        if now - since["worker"] > PATIENCE:
            raise SeriesError(f"the Dask cluster at {address} has had no worker for {PATIENCE:.0f} s; {KEPT}")


def _gone(address: str, why: object) -> SeriesError:
    said = str(why).strip() or type(why).__name__
    return SeriesError(f"the Dask scheduler at {address} is gone ({said.splitlines()[0][:120]}); {KEPT}")


def _result(future: Any, chunk: int, address: str) -> Any:
    from distributed import CancelledError
    from distributed.comm import CommClosedError
    from distributed.scheduler import KilledWorker

    try:
        return future.result(timeout=60)
    except KilledWorker as exc:
        raise SeriesError(
            f"{ATTEMPTS + 1} workers died on chunk {chunk + 1} (out of memory?); {KEPT}, with more memory a worker or a smaller "
            f"[series] chunk ({exc.last_worker.address if exc.last_worker else 'the last'} was killed last)"
        ) from None
    except (CancelledError, CommClosedError, TimeoutError) as exc:
        raise _gone(address, exc) from None
    except ImportError as exc:
        raise SeriesError(
            f"a worker at {address} cannot import what the series needs: {exc}; {KEPT}"
        ) from None


def _compare(client: Any) -> None:
    """Raises SeriesError where a worker has not this xasuite, numpy and Python: its rows would not be the same bytes."""

    def versions() -> dict[
        str, str
    ]:  # a function within a function is sent by value: the worker may have no xasuite
        import importlib
        import platform

        found = {"Python": ".".join(platform.python_version_tuple()[:2])}
        for name in ("numpy", "xasuite"):
            try:
                found[name] = importlib.import_module(name).__version__
            except ImportError:
                found[name] = ""
        return found

    here = versions()
    for worker, there in client.run(versions, on_error="return").items():
        if not isinstance(there, dict):
            continue  # it went away meanwhile
        for name, version in here.items():
            if not there[name]:
                raise SeriesError(f"the worker {worker} has no {name}: install {name} {version} there")
            if there[name] != version:
                raise SeriesError(
                    f"the worker {worker} has {name} {there[name]}, this process {version}: install {name} {version} there"
                )


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise SeriesError("--scheduler needs Dask: pip install 'xasuite[dask]'") from None
    try:
        client = Client(address, timeout=5, set_as_default=False)
        if not client.nthreads():
            client.wait_for_workers(1, timeout=30)
    except (OSError, TimeoutError, ValueError) as exc:
        raise SeriesError(
            f"no Dask scheduler with workers answers at {address}: {exc or type(exc).__name__}"
        ) from None
    return client
