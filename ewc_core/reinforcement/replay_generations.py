"""Where replay files lie: a folder for each run of a job, so that one that goes on never writes into what another still uses."""

from __future__ import annotations

import shutil
from pathlib import Path


def generation_folder(base: Path, generation: int) -> Path:
    """The folder of one generation's replay files."""
    return base / f"generation-{generation}"


def keep_generation(base: Path, generation: int) -> None:
    """Delete every other generation's files below `base`, which need not exist."""
    if not base.exists():
        return
    own = generation_folder(base, generation)
    for folder in base.iterdir():
        if folder != own:
            shutil.rmtree(folder, ignore_errors=True)
