"""How long a game job takes, and how much memory, before it is submitted.

python -m examples.cost_estimate examples/atari_10_games.json --frames-per-second 232

The speed is that of one agent that plays and learns on the machine in question; `make bench` measures it (agent_speed).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ewc_core.reinforcement.cost import estimate_cost
from ewc_core.specs import ReinforcementSpec

GIB = 2**30

parser = argparse.ArgumentParser(prog="python -m examples.cost_estimate", description=__doc__)
parser.add_argument("spec", type=Path)
parser.add_argument("--frames-per-second", type=float, required=True)
arguments = parser.parse_args()
cost = estimate_cost(
    ReinforcementSpec.model_validate_json(arguments.spec.read_bytes()), frames_per_second=arguments.frames_per_second
)
print(f"{cost.num_agents} agents, each {cost.num_frames:,} frames and {cost.num_updates:,} updates")
print(f"training {cost.days:.1f} days, evaluation up to {cost.max_evaluation_days:.1f} days more")
print(f"replays {cost.replay_bytes / GIB:.2f} GiB, on disk and in the page cache")
print(f"{cost.num_constraints} Fishers and anchors {(cost.fisher_bytes + cost.anchor_bytes) / GIB:.2f} GiB")
print(f"networks of {cost.num_parameters:,} parameters and their optimisers {cost.network_bytes / GIB:.2f} GiB")
print(f"in all {cost.total_bytes / GIB:.2f} GiB")
