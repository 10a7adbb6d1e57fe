from .drawing import Observed, complete, observe
from .settings import Measured

__all__ = ["Measured", "Observed", "complete", "observe"]
