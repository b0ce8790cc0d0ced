"""Which task is being played, from observations alone."""

from ewc_core.task_inference.recogniser import TaskRecogniser, make_recogniser
from ewc_core.task_inference.symbols import Quantiser

__all__ = ["Quantiser", "TaskRecogniser", "make_recogniser"]
