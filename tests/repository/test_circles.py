"""No module imports one that imports it, by whatever way, not even for the type checker alone."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("api", "ewc_client", "ewc_core", "migrations", "store", "worker")


def test_no_two_modules_import_each_other() -> None:
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    sorter = TopologicalSorter({module: graph.find_modules_directly_imported_by(module) for module in graph.modules})
    try:
        sorter.prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


def test_every_module_lies_in_a_package_so_that_import_contracts_see_it() -> None:
    folders = {file.parent for package in PACKAGES for file in (REPOSITORY / package).rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []
