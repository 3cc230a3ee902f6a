"""The version of Pirene that plans and runs, as it is recorded."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("pirene")
except PackageNotFoundError:  # run from a checkout that was never installed
    VERSION = "0+checkout"
