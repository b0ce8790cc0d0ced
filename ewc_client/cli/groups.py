"""How the command line says what is wrong with an argument, and which names its commands have."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

_OF_THE_LIBRARY = "Value error, "


class Group(TyperGroup):
    """A group of commands. `list` stands for `ls`; a refused argument is explained without the name of an exception."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name, or of the name that it stands for."""
        return super().get_command(ctx, cmd_name) or (super().get_command(ctx, "ls") if cmd_name == "list" else None)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix(_OF_THE_LIBRARY)
            raise
