"""What scores are, and what a score matrix says about learning and forgetting. Pure Python: the API imports it."""

from ewc_core.metrics.measured import Interval, Measured
from ewc_core.metrics.score_matrix import MatrixSummary, ScoreMatrix
from ewc_core.metrics.scores import SCORES, Score, ScoreName

__all__ = ["SCORES", "Interval", "MatrixSummary", "Measured", "Score", "ScoreMatrix", "ScoreName"]
