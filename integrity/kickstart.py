"""Starts the wrapper (integrity/wrapper) as a program: ``python3 -I -S kickstart.py --job FILE|- --record FILE``.

It is the ``__main__`` of the one file that goes to worker nodes (integrity/archive.py) as well.
"""

import os
import sys

if __name__ == "__main__":
    HERE = os.path.dirname(os.path.abspath(__file__))
    if os.path.isdir(HERE):  # else the archive, which Python has put on the path
        # An isolated interpreter knows no package of ours. Last, so that none hides one of the standard library.
        sys.path.append(os.path.dirname(HERE))
    from integrity.wrapper.command_line import start

    start()
