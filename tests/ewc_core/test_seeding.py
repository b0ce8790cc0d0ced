"""Derived seeds."""

from __future__ import annotations

import torch

from ewc_core.seeding import derive_seed, generator


def test_a_derived_seed_never_changes_between_versions() -> None:
    assert derive_seed(0) == 3069474991653205599
    assert derive_seed(3, "shuffle", 1, 2) == 4635675776824661774


def test_seed_and_every_part_of_the_path_matter() -> None:
    paths = [(0,), (1,), (0, "a"), (0, "a", 1), (0, "a", "1"), (0, "a1"), (0, 1, "a"), (0, "a", 11), (0, "a", 1, 1)]
    seeds = {derive_seed(path[0], *path[1:]) for path in paths if isinstance(path[0], int)}
    assert len(seeds) == len(paths)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_generators_repeat_and_leave_the_global_one_alone() -> None:
    before = torch.get_rng_state()
    first = torch.rand(5, generator=generator(1, "x"))
    assert torch.equal(first, torch.rand(5, generator=generator(1, "x")))
    assert not torch.equal(first, torch.rand(5, generator=generator(1, "y")))
    assert torch.equal(torch.get_rng_state(), before)
