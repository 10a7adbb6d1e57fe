from .drawing import complete, observe, over_of
from .settings import MeasurementSettings

__all__ = ["MeasurementSettings", "complete", "observe", "over_of"]
