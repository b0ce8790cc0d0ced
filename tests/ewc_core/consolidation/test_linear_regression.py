"""On linear regression the penalty is exact: two tasks one after the other equal both at once.

With mean losses ½‖Xθ − y‖²/N the Hessian is H = XᵀX/N, which is also the Fisher, and λ = N_A / N_B is the Bayesian
value. A diagonal penalty is exact when H is diagonal.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ewc_core.consolidation import merge
from tests.ewc_core.consolidation.constraints import single

Task = tuple[Tensor, Tensor]


def _tasks(*, orthogonal: bool) -> list[Task]:
    generator = torch.Generator().manual_seed(0)
    tasks = []
    for num_examples in (30, 50, 40):
        features = torch.randn(num_examples, 5, generator=generator, dtype=torch.float64)
        if orthogonal:
            scale = 0.1 + 3 * torch.rand(5, generator=generator, dtype=torch.float64)
            features = torch.linalg.qr(features).Q * scale * num_examples**0.5
        tasks.append((features, torch.randn(num_examples, generator=generator, dtype=torch.float64)))
    return tasks


def _joint(tasks: list[Task]) -> Tensor:
    """The minimiser of the sum over all examples."""
    gram = sum((features.T @ features for features, _ in tasks), torch.zeros(5, 5, dtype=torch.float64))
    moment = sum((features.T @ targets for features, targets in tasks), torch.zeros(5, dtype=torch.float64))
    return torch.linalg.solve(gram, moment)


def _hessian(features: Tensor) -> Tensor:
    return features.T @ features / len(features)


def _one_after_the_other(tasks: list[Task]) -> Tensor:
    """Learn the tasks in order, each old one held by a diagonal constraint of its own at its own optimum."""
    constraints = []
    theta = torch.zeros(5, dtype=torch.float64)
    for index, (features, targets) in enumerate(tasks):
        matrix, moment = _hessian(features), features.T @ targets / len(targets)
        scaled = [single(i, fisher, anchor, size / len(targets)) for i, (fisher, anchor, size) in enumerate(constraints)]
        quadratic = merge([constraint for constraint, _ in scaled], scaled[0][1], dtype=torch.float64) if scaled else None
        if quadratic is not None:
            matrix = matrix + quadratic.precision.diag()
            moment = moment + quadratic.precision * quadratic.centre
        theta = torch.linalg.solve(matrix, moment)
        alone = torch.linalg.solve(_hessian(features), features.T @ targets / len(targets))
        constraints.append((_hessian(features).diagonal(), alone, len(targets)))
        assert len(constraints) == index + 1
    return theta


def test_with_orthogonal_features_three_tasks_in_a_row_equal_joint_training() -> None:
    tasks = _tasks(orthogonal=True)
    torch.testing.assert_close(_one_after_the_other(tasks), _joint(tasks), rtol=1e-11, atol=1e-12)


def test_with_correlated_features_the_diagonal_is_an_approximation() -> None:
    tasks = _tasks(orthogonal=False)
    sequential, joint = _one_after_the_other(tasks), _joint(tasks)
    assert not torch.allclose(sequential, joint, rtol=1e-3)
    naive = torch.linalg.lstsq(*[tensor if tensor.dim() == 2 else tensor.unsqueeze(1) for tensor in tasks[-1]]).solution[:, 0]
    assert torch.dist(sequential, joint) < torch.dist(naive, joint)


def test_in_the_eigenbasis_of_the_old_hessian_correlated_features_are_exact_too() -> None:
    old, new, _ = _tasks(orthogonal=False)
    basis = torch.linalg.eigh(_hessian(old[0])).eigenvectors
    rotated = [(features @ basis, targets) for features, targets in (old, new)]
    torch.testing.assert_close(basis @ _one_after_the_other(rotated), _joint([old, new]), rtol=1e-11, atol=1e-12)


def test_another_lambda_than_the_ratio_of_sizes_is_not_joint_training() -> None:
    tasks = _tasks(orthogonal=True)[:2]
    duplicated = [(tasks[0][0].repeat(2, 1), tasks[0][1].repeat(2)), tasks[1]]
    assert not torch.allclose(_one_after_the_other(duplicated), _joint(tasks), rtol=1e-6)
    torch.testing.assert_close(_one_after_the_other(duplicated), _joint(duplicated), rtol=1e-11, atol=1e-12)
