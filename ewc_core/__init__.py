"""Elastic weight consolidation: train one network on a sequence of tasks without forgetting the earlier ones.

The package front imports nothing, so that `ewc_core.specs`, `ewc_core.errors` and `ewc_core.metrics` stay free of torch.
Start reading at `ewc_core.supervised`.
"""
