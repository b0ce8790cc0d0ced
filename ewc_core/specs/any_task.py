"""Tasks of any job: learning problems on data, and games."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from ewc_core.specs.environments import AtariTask, GymnasiumTask
from ewc_core.specs.tasks import PermutedTask, PlainTask, RotatedTask, SplitTask


def _kind_of_task(value: Any) -> str | None:
    kind = value.get("kind", "permuted") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) else None


AnyTaskSpec = Annotated[
    Annotated[PermutedTask, Tag("permuted")]
    | Annotated[PlainTask, Tag("plain")]
    | Annotated[RotatedTask, Tag("rotated")]
    | Annotated[SplitTask, Tag("split")]
    | Annotated[AtariTask, Tag("atari")]
    | Annotated[GymnasiumTask, Tag("gymnasium")],
    Discriminator(
        _kind_of_task,
        custom_error_type="task_kind",
        custom_error_message="a task's 'kind' is 'permuted' (the default), 'plain', 'rotated' or 'split', or for games 'atari' "
        "or 'gymnasium'",
    ),
]
