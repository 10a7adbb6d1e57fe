from .dataset import to_xarray, write_netcdf
from .sampled import Sampled, name_of_derivative
from .table import columns, text_of, write_csv, write_npz
from .vtk import write_vtk

__all__ = [
    "Sampled",
    "columns",
    "name_of_derivative",
    "text_of",
    "to_xarray",
    "write_csv",
    "write_netcdf",
    "write_npz",
    "write_vtk",
]
