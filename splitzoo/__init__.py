"""Split networks and the attacks that invert them: `splitzoo.zoo`, `.attacks` and `.bench`."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("splitzoo")
except PackageNotFoundError:  # used from a checkout that is not installed
    __version__ = "0+unknown"
