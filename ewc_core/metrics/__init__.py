"""What a score matrix says about learning and forgetting. Pure Python: the API imports it."""

from ewc_core.metrics.score_matrix import MatrixSummary, ScoreMatrix

__all__ = ["MatrixSummary", "ScoreMatrix"]
