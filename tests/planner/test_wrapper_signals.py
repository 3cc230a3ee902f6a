"""The wrapper of a single command, started by a process of several threads: no signal is lost to another one of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# In the moment before the main thread waits, all signals are blocked in it: the kernel hands one to the other thread.
TAKEN_BY_ANOTHER = """
import os, re, signal, subprocess, sys, threading
from pathlib import Path
from planner import single_command

folder, sent = Path(sys.argv[1]), sys.argv[2]
threading.Thread(target=threading.Event().wait, daemon=True).start()
looked = []

def poll(wrapper, look=subprocess.Popen.poll):
    status = look(wrapper)
    if not looked:
        looked.append(status)
        (folder / "ready").open().close()  # the wrapper has opened its end
        if sent == "SIGTERM":
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            os.waitid(os.P_PID, wrapper.pid, os.WEXITED | os.WNOWAIT)
        while int(re.search("ShdPnd:(.*)", Path("/proc/self/status").read_text())[1], 16):
            pass
    return status

subprocess.Popen.poll = poll
single_command.KICKSTART = folder / "wrapper.py"
print(single_command._run_wrapper({}, folder / "record.json"))
"""
WRAPPER = """
import signal, sys
from pathlib import Path
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
Path(__file__).with_name("ready").open("w").close()
"""


@pytest.mark.parametrize(("sent", "status"), [("SIGCHLD", 0), ("SIGTERM", 7)])
def test_a_signal_that_another_thread_took_is_heard_of(tmp_path: Path, sent: str, status: int) -> None:
    """The end of the wrapper, and what it is to be passed on."""
    waits = "" if sent == "SIGCHLD" else "signal.sigwait({signal.SIGTERM}); sys.exit(7)\n"
    (tmp_path / "wrapper.py").write_text(WRAPPER + waits)
    os.mkfifo(tmp_path / "ready")
    done = subprocess.run(
        [sys.executable, "-c", TAKEN_BY_ANOTHER, tmp_path, sent],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.stdout, done.stderr, done.returncode) == (f"{status}\n", "", 0)
