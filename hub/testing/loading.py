"""A plugin out of its folder, loaded as the hub loads it, for tests that stand inside that folder."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def load_plugin(folder: Path, module: str = "") -> ModuleType:
    """Return the plugin in `folder` (a package), or one of its modules: `load_plugin(folder, "sandbox")`.

    It has the name the hub gives it, so nothing of the same name on this machine is in the way.
    """
    folder = folder.absolute()  # Python remembers what a relative one meant when it was first asked for
    name = f"hub_plugin_{folder.name}"
    file = folder / "__init__.py"
    loaded = sys.modules.get(name)
    if loaded is None or loaded.__file__ != str(file):
        for stale in [one for one in sys.modules if one == name or one.startswith(f"{name}.")]:
            del sys.modules[stale]
        spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=[str(folder)])
        if spec is None or spec.loader is None:
            raise ImportError(f"{folder} is no plugin: it has no __init__.py")
        loaded = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
    return importlib.import_module(f"{name}.{module}") if module else loaded
