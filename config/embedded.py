"""PostgreSQL and Valkey from Python wheels, as servers of one checkout.

Each server runs in a session of its own below one private folder and may outlive whoever started
it. From birth to death it holds the lock on its `<name>.lock`: its starter opened and locked the
file, the server inherited it. So the kernel says whether it lives, and no zombie, recycled process
number, stale pid file or stale socket can say otherwise. The file's content is the server's port.

Callers serialise `run` and `stop` among themselves (`config.local` does it).
"""

import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

ROLES = Path(__file__).with_name("roles.sql")
DATABASE = "saphena"
PATIENCE = 60  # seconds that a server may need to recover from a crash, or to stop


class LocalServicesError(RuntimeError):
    """The embedded services cannot run; the message is one sentence for people."""


@dataclass(frozen=True)
class Home:
    """The servers' folder, their binaries, and, where we are root, the user whom they run as."""

    folder: Path
    postgres_bin: Path
    valkey_server: Path
    account: pwd.struct_passwd | None

    def private(self, name: str) -> Path:
        """A folder that only the servers' user enters; made on first call."""
        path = self.folder / name
        if not path.exists():
            path.mkdir(mode=0o700)
            self.give(path)
        return path

    def give(self, path: Path) -> None:
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    @property
    def popen(self) -> dict[str, Any]:
        """How to start a program here: as the servers' user and with none of our environment."""
        options: dict[str, Any] = {
            "cwd": self.folder,
            "env": {"PATH": os.environ.get("PATH") or os.defpath, "LC_ALL": "C"},
            "umask": 0o077,
        }
        if self.account:
            options |= {
                "user": self.account.pw_uid,
                "group": self.account.pw_gid,
                "extra_groups": [],
            }
        return options


class Server(ABC):
    """A server that is started when it does not live, and reused when it does."""

    name: str
    stop_signal: signal.Signals

    def __init__(self, home: Home, passwords: dict[str, str]) -> None:
        self.home, self.passwords = home, passwords
        self.folder = home.private(self.name)
        self.log = home.folder / f"{self.name}.log"

    @property
    @abstractmethod
    def pid_file(self) -> Path:
        """The server's own, whose first word is its process number."""

    @abstractmethod
    def prepare(self) -> None:
        """Make what the server needs and remove what a killed one left behind."""

    @abstractmethod
    def command(self, port: int) -> list[str]: ...

    def config(self, port: int) -> str:
        """What the server reads from its standard input."""
        return ""

    @abstractmethod
    def ask(self) -> None:
        """Log in through the socket, or raise."""

    @contextmanager
    def lock(self) -> Iterator[BinaryIO]:
        fd = os.open(self.home.folder / f"{self.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        with open(fd, "r+b") as file:
            yield file

    @property
    def port(self) -> int:
        with self.lock() as file:
            return int(file.read() or 0)

    def lives(self) -> bool:
        with self.lock() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def run(self) -> None:
        """Return once the server answers; start it if it does not live.

        A start may fail because somebody took the port since it was chosen, so it is tried thrice.
        """
        starts, deadline = 0, time.monotonic() + PATIENCE
        while True:
            try:
                return self.ask()
            except (psycopg.OperationalError, redis.RedisError) as error:
                problem = " ".join(str(error).split())
            if not self.lives():
                if starts == 3:
                    raise LocalServicesError(f"{self.name} does not start: {self.last_words()}")
                self.start()
                starts += 1
            elif time.monotonic() > deadline:
                raise LocalServicesError(
                    f"{self.name} runs but does not answer: {problem} (see {self.log})"
                )
            time.sleep(0.02)

    def start(self) -> None:
        self.prepare()
        port = free_port(self.port)
        with self.lock() as lock, open(self.log, "wb") as log, tempfile.TemporaryFile() as config:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock.truncate()
            lock.write(str(port).encode())
            lock.flush()
            config.write(self.config(port).encode())
            config.seek(0)
            process = subprocess.Popen(  # noqa: S603 - our own binaries and settings
                self.command(port),
                stdin=config,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal ends its users first
                pass_fds=[lock.fileno()],
                **self.home.popen,
            )
            process.returncode = 0  # it outlives us by intention, so Popen need not warn of that

    def stop(self) -> None:
        """Ask the server to stop and wait until it has."""
        if not self.lives():
            return
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int(self.pid_file.read_text().split()[0]), self.stop_signal)
        deadline = time.monotonic() + PATIENCE
        while self.lives() and time.monotonic() < deadline:
            time.sleep(0.02)

    def last_words(self) -> str:
        """The line of the log that best says why the server stopped."""
        lines = self.log.read_text(errors="replace").splitlines() or ["it said nothing"]
        return next((line for line in lines if "FATAL" in line), lines[-1])


class Postgres(Server):
    """PostgreSQL with Saphena's database and roles, by password, on a socket and 127.0.0.1."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": does not wait for clients

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    def prepare(self) -> None:
        # A recycled process number in one of these would keep the server from starting.
        for stale in [self.pid_file, *self.folder.glob(".s.PGSQL.*")]:
            stale.unlink(missing_ok=True)
        if not self.data.exists():
            self.create()

    def create(self) -> None:
        """initdb under another name first, so that a killed one leaves no half a cluster."""
        unfinished = self.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        with tempfile.NamedTemporaryFile("w", dir=self.home.folder) as password:
            password.write(self.passwords["postgres"])
            password.flush()
            self.home.give(Path(password.name))
            made = subprocess.run(  # noqa: S603 - as above
                [
                    self.home.postgres_bin / "initdb",
                    *("--pgdata", unfinished, "--username", "postgres", "--pwfile", password.name),
                    *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"),
                    *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
                ],
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                **self.home.popen,
            )
        if made.returncode:
            reason = next(
                (line for line in made.stderr.splitlines() if "error" in line), made.stderr.strip()
            )
            raise LocalServicesError(f"PostgreSQL could not make its data folder: {reason}")
        unfinished.rename(self.data)

    def command(self, port: int) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": self.folder,
            "max_connections": 200,
            "shared_buffers": "128MB",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self.home.postgres_bin / "postgres"), "-D", str(self.data), *options]

    def connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.folder),
            port=self.port,
            user="postgres",
            password=self.passwords["postgres"],
            dbname=database,
            connect_timeout=5,
            autocommit=True,
        )

    def ask(self) -> None:
        self.connect("postgres").close()

    def provide_database(self) -> None:
        """Create Saphena's database and roles; the roles again whenever `roles.sql` has changed."""
        sql = ROLES.read_text()
        version = hashlib.sha256(sql.encode()).hexdigest()
        with self.connect("postgres") as connection:
            query = (
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
            )
            found = connection.execute(query, [DATABASE]).fetchone()
            if found is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")
        if found == (version,):
            return
        with self.connect(DATABASE) as connection, connection.transaction():
            settings = {
                f"{role}_password": self.passwords[role] for role in ("owner", "web", "release")
            }
            for name, value in {**settings, "createdb": "on"}.items():
                connection.execute("SELECT set_config(%s, %s, true)", [f"saphena.{name}", value])
            connection.execute(sql.encode())
            connection.execute(f"COMMENT ON DATABASE {DATABASE} IS '{version}'".encode())

    def url(self, role: str) -> str:
        return f"postgres://saphena_{role}:{self.passwords[role]}@127.0.0.1:{self.port}/{DATABASE}"


class Valkey(Server):
    """Valkey, which speaks Redis: Celery's broker and the cache."""

    name = "valkey"
    stop_signal = signal.SIGTERM

    @property
    def pid_file(self) -> Path:
        return self.folder / "pid"

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    def prepare(self) -> None:
        self.pid_file.unlink(missing_ok=True)

    def command(self, port: int) -> list[str]:
        return [str(self.home.valkey_server), "-"]  # its settings come by standard input

    def config(self, port: int) -> str:
        settings = {
            "bind": "127.0.0.1",
            "port": port,
            "unixsocket": self.socket,
            "unixsocketperm": 700,
            "requirepass": self.passwords["valkey"],
            "dir": self.folder,
            "pidfile": self.pid_file,
            "appendonly": "yes",
            "save": '""',  # the append-only file is enough
        }
        return "".join(f"{name} {value}\n" for name, value in settings.items())

    def ask(self) -> None:
        once = Retry(NoBackoff(), retries=0)  # `run` asks again by itself
        with redis.Redis(
            unix_socket_path=str(self.socket), password=self.passwords["valkey"], retry=once
        ) as client:
            client.ping()

    def url(self) -> str:
        return f"redis://:{self.passwords['valkey']}@127.0.0.1:{self.port}/0"


def free_port(preferred: int) -> int:
    """The preferred port if nobody listens there, else any free one."""
    for port in (preferred, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise LocalServicesError("No free port is left on 127.0.0.1.")
