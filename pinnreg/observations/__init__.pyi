from .drawing import complete, observe
from .settings import MeasurementSettings

__all__ = ["MeasurementSettings", "complete", "observe"]
