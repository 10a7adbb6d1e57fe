"""What each key of the config changes: one file for each section, every one of which registers its cases on import."""

import pkgutil
from importlib import import_module

for _module in pkgutil.iter_modules(__path__, "options."):
    import_module(_module.name)
