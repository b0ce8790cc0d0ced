"""Packages with plug-ins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ewc_core.specs.datasets import TASK_SOURCE_PLUGINS

Install = Callable[[Mapping[str, str]], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Makes a package with entry points of the group, as an installer would leave it."""

    def _install(entry_points: Mapping[str, str]) -> None:
        info = tmp_path / "installed" / "offered-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n")
        lines = [f"{name} = {target}" for name, target in entry_points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{TASK_SOURCE_PLUGINS}]", *lines]))
        monkeypatch.syspath_prepend(str(info.parent))

    return _install
