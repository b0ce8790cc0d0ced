"""Heads: which outputs of the network a task trains, and which compete when it is evaluated."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from ewc_core.specs.base import Spec

MAX_OUTPUTS = 100_000


class HeadKind(StrEnum):
    """`shared`: all tasks use the same outputs (domain-incremental). `multi`: each task has outputs of its own, and is
    told which (task-incremental). `growing`: each task adds outputs, and all outputs seen so far compete
    (class-incremental)."""

    SHARED = "shared"
    MULTI = "multi"
    GROWING = "growing"


class HeadSpec(Spec):
    """How outputs are given to tasks.

    Outputs of tasks still to come exist from the start and are masked, which trains the same network as adding them
    later. `num_outputs` reserves them: None means what the tasks of the spec need, which leaves no room for tasks that
    are announced later with `multi` or `growing` heads. For a `shared` head it is the number of classes: every task uses
    all of these outputs, and may lack any of the classes.
    """

    kind: HeadKind = HeadKind.SHARED
    num_outputs: Annotated[int, Field(ge=1, le=MAX_OUTPUTS)] | None = None
