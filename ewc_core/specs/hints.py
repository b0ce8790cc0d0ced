"""What somebody may have meant by a name that is not known: a misspelling, or what other libraries call it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST_NAME = 64
_ALSO_CALLED: dict[str, tuple[str, ...]] = {
    # fields
    "agent": ("dqn", "hyperparameters"),
    "batch_size": ("batch", "bs", "mini_batch", "minibatch", "mini_batch_size", "train_mb_size"),
    "classes": ("labels", "digits", "class_labels"),
    "controls": ("control", "baseline", "baselines", "compare_with"),
    "dataset": ("data", "data_set", "dataset_name"),
    "degrees": ("angle", "rotation", "theta"),
    "discount": ("gamma",),
    "ewc_lambda": ("lambda", "lam", "l", "importance", "strength", "penalty", "penalty_weight", "reg", "regularization"),
    "exploration": ("epsilon", "eps", "epsilon_greedy"),
    "fisher_decay": ("gamma", "decay", "decay_factor", "forgetting_factor"),
    "fisher_estimator": ("fisher", "fisher_type", "estimator", "mode"),
    "fisher_num_examples": ("fisher_samples", "num_samples", "n_samples", "sample_size", "fisher_sample_size", "num_examples"),
    "game": ("env", "environment", "rom", "env_id"),
    "heads": ("head", "scenario", "multihead", "multi_head"),
    "hidden_rate": ("dropout", "dropout_rate", "p", "rate"),
    "hidden_size": ("hidden", "units", "width", "hidden_units", "hidden_sizes"),
    "hidden_sizes": ("hidden", "layers", "units", "width", "hidden_units", "hidden_layers", "hidden_size", "layer_sizes"),
    "high": ("max", "maximum", "upper", "stop"),
    "id": ("env", "env_id", "environment", "game"),
    "kind": ("type", "class"),
    "learning_rate": ("lr", "eta", "alpha", "step_size"),
    "low": ("min", "minimum", "lower", "start"),
    "max_parallel": ("n_jobs", "parallel", "workers", "max_workers", "concurrency"),
    "metadata": ("tags", "meta", "annotations"),
    "method": ("strategy", "algorithm", "algo", "regularizer"),
    "network": ("model", "net", "architecture", "backbone"),
    "num_envs": ("n_envs", "envs", "num_environments"),
    "num_epochs": ("epochs", "epoch", "n_epochs", "max_epochs", "train_epochs"),
    "num_outputs": ("num_classes", "n_classes", "outputs", "output_size"),
    "num_rounds": ("rounds", "repeats", "cycles"),
    "num_steps": ("steps", "length", "duration", "timesteps", "total_timesteps"),
    "num_threads": ("threads", "n_threads", "num_workers"),
    "num_trials": ("n_trials", "trials", "n_iter"),
    "num_validation_examples": ("validation", "val_size", "validation_size", "validation_split", "num_validation"),
    "optimiser": ("optimizer", "optim", "opt"),
    "options": ("kwargs", "args", "arguments", "params", "parameters"),
    "path": ("file", "filename", "location", "url"),
    "permutation": ("perm", "seed", "permutation_seed", "permutation_id"),
    "replay_capacity": ("buffer_size", "replay_size", "memory_size", "capacity", "buffer"),
    "search": ("space", "search_space", "params", "parameters", "grid"),
    "seed": ("random_seed", "random_state", "rng", "manual_seed"),
    "strength": ("lambda", "lam", "ewc_lambda", "importance", "c", "si_c", "si_lambda", "mas_lambda"),
    "target_update_period": ("target_update", "target_update_interval", "target_update_freq"),
    "tasks": ("task", "experiences", "datasets", "sequence", "task_sequence"),
    "training": ("train", "optimisation", "optimization"),
    "values": ("choices", "options", "candidates"),
    # values
    "adam": ("adamw", "adamax", "nadam"),
    "atari": ("ale",),
    "bernoulli": ("binary", "bce", "multilabel", "multi_label"),
    "categorical": ("classification", "cross_entropy", "softmax", "multiclass"),
    "choices": ("categorical", "choice", "list"),
    "conv": ("cnn", "convnet", "convolutional", "resnet"),
    "digits": ("optdigits", "sklearn_digits", "load_digits"),
    "fashion-mnist": ("fmnist", "fashion", "fashionmnist"),
    "float": ("real", "uniform", "loguniform", "log_uniform"),
    "gaussian": ("regression", "mse", "normal"),
    "growing": ("class_incremental", "class", "single_incremental"),
    "gymnasium": ("gym", "env", "environment"),
    "joint": ("multitask", "multi_task", "cumulative", "offline", "upper_bound"),
    "mlp": ("fc", "dense", "linear", "fully_connected"),
    "multi": ("task_incremental", "multihead", "multi_head"),
    "naive": ("none", "sgd", "finetune", "fine_tune", "finetuning", "plain", "lower_bound"),
    "online_ewc": ("oewc", "online", "ewc_online", "ewc++"),
    "reinforcement": ("rl", "reinforcement_learning", "games"),
    "shared": ("domain_incremental", "single", "single_head"),
    "supervised": ("classification", "regression", "supervised_learning"),
    "tpe": ("bayes", "bayesian", "optuna"),
}


def meant(given: str, known: Iterable[str], *, by_spelling: bool = True) -> list[str]:
    """Those of the known names that `given` may stand for, at most three, of misspellings the nearest."""
    if len(given) > _LONGEST_NAME:
        return []
    names = list(known)
    plain = _plain(given)
    found = [name for name in names if _plain(name) == plain or plain in _ALSO_CALLED.get(name, ())]
    if not found and by_spelling:
        spelt = {_plain(name): name for name in names}
        found = [spelt[near] for near in difflib.get_close_matches(plain, spelt, n=1)]
    return found[:3]


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """The end of a message: "; did you mean `mnist`?", or nothing where no name is near."""
    return as_question(meant(given, known))


def listed(names: Iterable[str]) -> str:
    """Choices in words: "'rounds' or 'explicit'"."""
    *first, last = map(repr, names)
    return f"{', '.join(first)} or {last}" if first else last


def as_question(names: Iterable[str]) -> str:
    """The names as the end of a message; nothing without names."""
    quoted = " or ".join(f"`{name}`" for name in names)
    return f"; did you mean {quoted}?" if quoted else ""


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")
