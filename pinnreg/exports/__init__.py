"""Solutions for other programs: xarray and NetCDF, ParaView's VTK, tables, arrays."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
