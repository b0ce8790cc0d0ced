"""The paper's figures: jobs, curves, and files."""

from __future__ import annotations

from ewc_client.figures.recipe import Recipe, load_recipe

__all__ = ["Recipe", "load_recipe"]
