"""What a network has learned and how much room is left: pure functions, and the runs that measure them."""

from ewc_core.analysis.game_subject import GameSubject
from ewc_core.analysis.run import AnalysisRun
from ewc_core.analysis.subject import AnalysisSubject

__all__ = ["AnalysisRun", "AnalysisSubject", "GameSubject"]
