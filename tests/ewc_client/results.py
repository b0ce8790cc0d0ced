"""Results as workers leave them."""

from __future__ import annotations

from typing import Any


def _check(t: int, num_standard_errors: float | None) -> dict[str, Any]:
    return {"t": t, "simulated": 1.0, "standard_error": 0.1, "theory": 1.1, "num_standard_errors": num_standard_errors}


def _rule(lost: int | None, blackout: int | None, retained: float, slope: float, errors: list[float | None]) -> dict[str, Any]:
    return {
        "kind": "ewc",
        "landmarks": {"first_lost_at": lost, "blackout_at": blackout},
        "fraction_retained_at_capacity": retained,
        "first_pattern_snr_slopes": [{"from": 10, "to": 100, "theory": slope}],
        "first_pattern_snr_checks": [_check(100, error) for error in errors],
    }


ASSOCIATION: dict[str, Any] = {
    "num_synapses": 200,
    "num_patterns": 600,
    "num_repeats": 50,
    "rules": {
        "gd": {**_rule(113, None, 0.75, -0.52, [0.4, 1.9]), "weight_norm_checks": [_check(100, 2.4)]},
        "ewc": _rule(161, 380, 1.0, -0.5, [None]),
    },
    "ewc_falls_below_at": {"gd": 271},
}
_CHANCE = {"independent_squares": 0.6366, "shuffled": 0.412}
OVERLAP: dict[str, Any] = {
    "kind": "overlap",
    "first_task": 0,
    "second_task": 3,
    "num_examples": {"first": 1437, "second": 500},
    "overall": {"overlap": 0.521, "chance": _CHANCE, "ceiling": {"first": 0.991, "second": 0.987}},
    "layers": {
        "body.0": {"overlap": 0.333, "chance": _CHANCE, "ceiling": {"first": 0.99, "second": 0.98}},
        "heads": {"overlap": None, "chance": {**_CHANCE, "shuffled": None}, "ceiling": {"first": 1.0, "second": None}},
    },
}
PERTURBATION: dict[str, Any] = {
    "kind": "perturbation",
    "task": 1,
    "num_examples": 1437,
    "num_draws": 20,
    "loss": 0.0812,
    "score": 0.975,
    "noise": [
        {
            "noise": "uniform",
            "sigma": 0.1,
            "mean_loss_increase": 0.25,
            "standard_error": 0.01,
            "predicted_loss_increase": 0.2,
            "mean_score": 0.9,
            "num_diverged": 0,
        },
        {
            "noise": "null",
            "sigma": 10.0,
            "mean_loss_increase": None,
            "standard_error": None,
            "predicted_loss_increase": 0.0,
            "mean_score": 0.1,
            "num_diverged": 3,
        },
    ],
}
PERTURBED_AGENT: dict[str, Any] = {
    "kind": "perturbation",
    "task": 2,
    "num_draws": 20,
    "num_episodes": 10,
    "loss": 0.0,
    "score": 1.0,
    "return": 0.96,
    "null_space": {"quantile": 0.5, "cut": 0.000123, "share": 0.5},
    "ridge": 0.0001,
    "num_examples": 300,
    "exploration_epsilon": 0.05,
    "noise": [
        {
            "noise": noise,
            "sigma": sigma,
            "mean_loss_increase": change,
            "standard_error": None if change is None else 0.0125,
            "predicted_loss_increase": predicted,
            "mean_score": 0.5,
            "mean_return": mean_return,
            "return_standard_error": 0.125,
            "num_diverged": 0 if change is not None else 2,
        }
        for noise, sigma, change, predicted, mean_return in (
            ("uniform", 0.1, 0.25, 0.2, -0.5),
            ("uniform", 0.01, 0.0025, 0.002, 0.75),
            ("inverse", 0.01, 0.001, 0.0005, 0.875),
            ("null", 0.1, None, 0.0001, 0.25),
        )
    ],
}
CAPACITY: dict[str, Any] = {
    "kind": "capacity",
    "tasks": [0, 1],
    "overall": {"frozen": 0.61, "num_parameters": 16510},
    "layers": {"body.0": {"frozen": 0.93, "curvature": 0.02, "mean_precision": 0.27, "num_parameters": 6500}},
    "warning": "these layers are frozen beyond 90%: 'body.0' (93%)",
    "explicit_step": None,
}
CHECK: dict[str, Any] = {
    "is_runnable": False,
    "mistakes": [
        {"code": "dataset_unavailable", "field": "tasks.0.dataset.path", "message": "no file a\x1b[31m.npz", "retryable": True},
        {"code": "plugin_failed", "field": None, "message": "it raised", "retryable": False},
    ],
    "warnings": [{"code": "inputs_far_from_1", "message": "column 'x' has values up to 1e4"}],
    "estimate": {"num_parameters": 1234567, "memory_bytes": 3 * 2**29, "disk_bytes": 2**26, "seconds": 7500.0},
}
