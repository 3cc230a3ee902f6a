"""The module ``signal`` without its enums: importing them takes 4 ms, a third of a start.

``_signal`` is what CPython makes that module of, from 3.5 on; handlers and masks hold plain numbers in it.
"""

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal

__all__ = ["name_of", "signal"]


def name_of(number: int) -> str:
    """SIGKILL and the like; real-time signals have no name in Python."""
    from signal import Signals

    try:
        return Signals(number).name
    except ValueError:
        return "signal %d" % number
