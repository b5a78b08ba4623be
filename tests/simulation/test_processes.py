"""Processes of one folder: watched, stopped whole, and found again after a kill."""

import os
import signal
import subprocess
import sys
import time

import pytest

from registry.simulation import processes
from registry.simulation.processes import ProcessError, Processes

SLEEPER = ("timeit", "-n1", "-r1", "import time; time.sleep(60)")
# Ignores the request to end, and has a child of its own that does so too.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
time.sleep(60)
"""


def stubborn(count: int = 1) -> tuple[str, ...]:
    return ("timeit", f"-n{count}", "-r1", STUBBORN.strip())


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_leaving_stops_what_was_started(tmp_path):
    with Processes(tmp_path) as running:
        running.start("sleeper", *SLEEPER)
        running.check()
        (child,) = running.children
    assert child.process.returncode == -signal.SIGTERM
    assert not list(running.marked())


def test_the_stubborn_and_their_children_are_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "PATIENCE", 0.2)
    with Processes(tmp_path) as running:
        running.start("stubborn", *stubborn())
        wait_for(lambda: len(list(running.marked())) == 2)
    assert not list(running.marked())


def test_one_that_ended_is_named_with_its_log(tmp_path):
    with Processes(tmp_path) as running:
        running.start("speaker", "this")
        running.children[0].process.wait()
        with pytest.raises(ProcessError, match=r"The speaker has stopped \(exit code 0\): see .*"):
            running.check()
        assert "Zen of Python" in (tmp_path / "logs" / "speaker.log").read_text()


def test_the_rest_of_the_environment_is_handed_down(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_ONE", "x")
    monkeypatch.setenv("OF_ALL", "y")
    with Processes(tmp_path) as running:
        code = "import os; print(sorted({'SECRET_OF_ONE', 'OF_ALL'} & set(os.environ)), os.nice(0))"
        running.start(
            "speaker", "timeit", "-n1", "-r1", code, niceness=5, without=("SECRET_OF_ONE",)
        )
        running.children[0].process.wait()
    assert "['OF_ALL'] 5" in (tmp_path / "logs" / "speaker.log").read_text()


def test_a_folder_has_one_command_at_a_time(tmp_path):
    with Processes(tmp_path), pytest.raises(ProcessError, match=f"process {os.getpid()}"):
        Processes(tmp_path).__enter__()
    with Processes(tmp_path):
        pass


KILLED = """
import sys, time
from pathlib import Path
from registry.simulation.processes import Processes
with Processes(Path(sys.argv[1])) as running:
    running.start("sleeper", "timeit", "-n1", "-r1", "import time; time.sleep(60)")
    print("started", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_command_left_is_found_and_killed(tmp_path):
    command = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert command.stdout.readline() == "started\n"
    command.kill()
    command.communicate()
    with Processes(tmp_path) as running:
        wait_for(lambda: len(list(running.marked())) == 1)
        assert running.kill_leftovers() == 1
        assert not list(running.marked())
