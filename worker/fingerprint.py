"""Where a trainer runs: everything outside a job's spec that can change the bits of its result, by name."""

from __future__ import annotations

import logging
import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ewc_core.specs import JobSpec
from ewc_core.specs.datasets import TASK_SOURCE_PLUGINS
from ewc_core.specs.network import NETWORK_PLUGINS
from store.records import Fence
from store.unit_of_work import Database

log = logging.getLogger(__name__)

_PACKAGES = ("ewc-service", "torch", "numpy", "scipy", "scikit-learn", "gymnasium", "ale-py", "minatar", "pillow", "pyarrow")
_CPUINFO = Path("/proc/cpuinfo")
_VECTOR_FLAGS = ("amx", "asimd", "avx", "f16c", "fma", "sve")
_SWITCHES = (
    "ATEN_CPU_CAPABILITY",
    "DNNL_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "NPY_DISABLE_CPU_FEATURES",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
)
"""Variables that make the numeric libraries take other instructions; of the service's own settings none is kept."""
_LIBRARIES_OF_TORCH = {
    "mkl": re.compile(r"Math Kernel Library Version (\S+)"),
    "onednn": re.compile(r"MKL-DNN v(\S+)"),
    "lapack": re.compile(r"LAPACK is enabled \(usually provided by (\S+)\)"),
}


def fingerprint(spec: JobSpec, tasks: Iterable[Mapping[str, Any]] = ()) -> dict[str, str]:
    """The processor and its instruction set, the number of threads, and the versions of Python and of all libraries that
    compute, packages of plug-ins in use included. `tasks` are those announced beside the spec's, as JSON.

    What cannot be found out is left out: a fingerprint never fails a job.
    """
    found: dict[str, str] = {"num_threads": str(spec.num_threads)}
    documents = [spec.model_dump(mode="json"), *tasks]
    for read in (_machine, _packages, _libraries, _switches, lambda: _plugins(documents, spec.used_plugin_groups)):
        try:
            found |= read()
        except Exception as error:  # noqa: BLE001 (a diagnostic must not end a job)
            log.warning("part of where this attempt runs cannot be found out: %s: %s", type(error).__name__, error)
    return dict(sorted(found.items()))


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """What is known of both and differs, by name: before and now. A package that only one needed is no difference."""
    return {name: (before[name], now[name]) for name in sorted(before.keys() & now.keys()) if before[name] != now[name]}


def note_attempt(database: Database, fence: Fence, environment: Mapping[str, str]) -> None:
    """Keep where the present attempt of a job runs; warn when it is not, or may not be, where the attempt before it ran."""
    with database.fenced(fence) as work:
        previous = work.attempts.add(fence, environment)
        if previous is None and work.resume_points.get(fence.job_id) is not None:
            work.events.append(
                fence.job_id,
                type="job.warning",
                level="warn",
                message="this attempt goes on from what an earlier one has left, and where that ran is not known, so the same "
                "bits as in an undisturbed run are not promised",
                data={"code": "environment_unknown", "visit_index": None},
            )
        changed = {} if previous is None else differences(previous.environment, environment)
        if previous is None or not changed:
            return
        listed = "; ".join(f"{name} {before!r}, now {now!r}" for name, (before, now) in changed.items())
        work.events.append(
            fence.job_id,
            type="job.warning",
            level="warn",
            message=f"this attempt does not run where attempt {previous.attempt} ran, so the same bits as in an undisturbed run "
            f"are no longer promised: {listed}",
            data={
                "code": "environment_changed",
                "visit_index": None,
                "previous_attempt": previous.attempt,
                "changes": {name: {"from": before, "to": now} for name, (before, now) in changed.items()},
            },
        )


def _machine() -> dict[str, str]:
    return {
        "architecture": platform.machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "system": platform.system(),
        "libc": " ".join(platform.libc_ver()).strip(),
        "python": platform.python_version(),
        **_processor(_CPUINFO.read_text(encoding="utf-8", errors="replace") if _CPUINFO.is_file() else ""),
    }


def _processor(cpuinfo: str) -> dict[str, str]:
    """Model and vector instructions of the first processor that Linux lists; elsewhere what Python knows."""
    first: dict[str, str] = {}
    for name, _, value in (line.partition(":") for line in cpuinfo.splitlines()):
        first.setdefault(name.strip(), value.strip())
    # ARM has no model name, and the model names of virtual machines say little.
    parts = ("vendor_id", "cpu family", "model", "stepping", "CPU implementer", "CPU part", "CPU variant", "model name")
    model = " ".join(first[part] for part in parts if part in first) or platform.processor()
    flags = (first.get("flags") or first.get("Features", "")).split()
    return {"cpu": model, "cpu_features": " ".join(sorted(flag for flag in flags if flag.startswith(_VECTOR_FLAGS)))}


def _packages() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _libraries() -> dict[str, str]:
    built_with = torch.__config__.show()
    found = {name: match[1] for name, pattern in _LIBRARIES_OF_TORCH.items() if (match := pattern.search(built_with))}
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {**found, "numpy_blas": f"{blas['name']} {blas['version']}"}


def _switches() -> dict[str, str]:
    return {name: os.environ.get(name, "") for name in _SWITCHES}


def _plugins(documents: Iterable[Mapping[str, Any]], groups: Iterable[str]) -> dict[str, str]:
    """Packages whose entry points the documents name, and all that offer any in `groups`."""
    documents = list(documents)
    named = {name for document in documents for name in _named_plugins(document)}
    offered = [point for group in (NETWORK_PLUGINS, TASK_SOURCE_PLUGINS) for point in entry_points(group=group)]
    used = [point for point in offered if point.name in named]
    used += [point for group in groups for point in entry_points(group=group)]
    return {f"package {point.dist.name}": point.dist.version for point in used if point.dist is not None}


def _named_plugins(value: Any) -> Iterator[str]:
    """The names beside `"kind": "plugin"` anywhere in a JSON document."""
    if isinstance(value, Mapping):
        if value.get("kind") == "plugin":
            yield str(value.get("name"))
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _named_plugins(item)
