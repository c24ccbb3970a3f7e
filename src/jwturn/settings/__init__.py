"""The settings of a node: one frozen value from `jwturn.toml` and JWTURN_* variables, each with its origin.

The file is the one named (--config, then JWTURN_CONFIG), else `./jwturn.toml` if it is there. Every key is
also JWTURN_<SECTION>__<KEY>, which wins over the file. A secret is never in the file: it is JWTURN_..._FILE
(a private file), a systemd credential of its name, or, with a warning, the variable itself; only one of them.
Relative paths count from the file's directory. An unknown key is an error that names the nearest.
"""

from jwturn.settings.model import ServiceSettings, Setting, Settings, StoreSettings
from jwturn.settings.reading import load
from jwturn.settings.toml import to_toml

__all__ = ["ServiceSettings", "Setting", "Settings", "StoreSettings", "load", "to_toml"]
