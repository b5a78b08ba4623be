"""Workers and beats over a database and a broker of their own, to be killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

from config import local
from config.embedded import Postgres, Valkey

WORKERS, PROCESSES, BEATS = 2, 4, 2
HURRIED = "tests.recall.hurried"


class Fleet:
    """Two workers of four processes, and two beats; their logs lie in ``folder``."""

    def __init__(self, folder):
        self.folder = folder / "local"
        local.open_folder(self.folder)
        keys, home = local.load_secrets(self.folder), local.find_home(self.folder)
        self.servers = {"database": Postgres(home, keys), "broker": Valkey(home, keys)}
        for server in self.servers.values():
            server.run()
        self.servers["database"].provide_database()
        self.given = {
            "DATABASE_URL": self.servers["database"].url("web"),
            "OWNER_DATABASE_URL": self.servers["database"].url("owner"),
            "REDIS_URL": self.servers["broker"].url(),
        }
        self.running, self.groups = {}, []

    def sail(self, mail_port):
        """Start every worker and beat."""
        self.given["EMAIL_URL"] = f"smtp://127.0.0.1:{mail_port}"
        for kind, number in [("worker", WORKERS), ("beat", BEATS)]:
            for which in range(number):
                self.start(kind, which)

    def start(self, kind, which):
        name = f"{kind}{which}"
        options = {
            "worker": [f"--concurrency={PROCESSES}", f"--hostname={name}@kills"],
            "beat": [f"--schedule={self.folder / name}", "--pidfile="],
        }
        command = [sys.executable, "-m", "celery", "-A", HURRIED, kind, "--loglevel=info"]
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen(
                [*command, *options[kind]],
                env=os.environ | self.given,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.running[kind, which] = process
        self.groups.append(process.pid)

    def kill(self, kind, draw):
        """``kill -9`` one of a kind; servers come back after a while."""
        if kind in self.servers:
            server = self.servers[kind]
            port = server.port
            os.kill(int(server.pid_file.read_text().split()[0]), signal.SIGKILL)
            time.sleep(draw.uniform(0.2, 1.5))
            server.run()
            assert server.port == port, f"{kind} is not where it was."
        elif kind == "process":
            os.kill(draw.choice(self.processes()), signal.SIGKILL)  # its worker starts another
        else:
            self.running[draw.choice([key for key in self.running if key[0] == kind])].kill()

    def tend(self):
        """Start again what has ended, as the container's restart policy does."""
        for key, process in list(self.running.items()):
            if process.poll() is not None:
                self.start(*key)

    def processes(self):
        """The processes of the workers that do the tasks."""
        workers = {process.pid for (kind, _), process in self.running.items() if kind == "worker"}
        listed = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
        )
        pairs = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
        return [pid for pid, parent in pairs if parent in workers]

    def sink(self):
        """Stop everything and forget it."""
        for group in self.groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        for process in self.running.values():
            process.wait()
        for server in self.servers.values():
            server.stop()
        shutil.rmtree((self.folder / "services").resolve(), ignore_errors=True)
