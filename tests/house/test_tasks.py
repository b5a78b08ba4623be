"""Every task may be run twice: a worker that died has its task run again."""

from pathlib import Path

from config.celery import app

TESTS = Path(__file__).resolve().parents[1]

# Task → the test that runs it twice and looks at what the second run changed.
RUN_TWICE = {
    "registry.recall.tasks.tick": "recall/test_actions.py::test_a_tick_run_twice_sends_one_mail",
    "registry.recall.tasks.send_deliveries": (
        "recall/test_actions.py::test_a_tick_run_twice_sends_one_mail"
    ),
    "registry.visits.tasks.recheck_everything": (
        "quality/test_recheck.py::test_the_night_finds_what_came_by_sql_and_does_nothing_twice"
    ),
    "registry.visits.tasks.recheck_site": (
        "quality/test_recheck.py::test_the_night_finds_what_came_by_sql_and_does_nothing_twice"
    ),
    "registry.exports.tasks.build_dataset": (
        "exports/test_build.py::test_building_twice_changes_nothing"
    ),
    "registry.exports.tasks.build_site_copy": (
        "exports/test_own_copy.py::test_building_twice_changes_nothing"
    ),
    "registry.exports.tasks.sweep_builds": (
        "exports/test_build.py::test_the_sweep_fails_a_build_whose_builder_died"
    ),
    "registry.exports.tasks.find_deletions": (
        "exports/test_deletions.py::test_looking_twice_changes_nothing"
    ),
}


def tasks():
    app.loader.import_default_modules()
    return {name for name in app.tasks if not name.startswith("celery.")}


def faults(names, listed):
    """What is wrong with the list, one line each."""
    found = [
        f"{name}: write a test that runs it twice and name it in RUN_TWICE of {__name__}"
        for name in sorted(names - listed.keys())
    ]
    found += [f"{name}: there is no such task" for name in sorted(listed.keys() - names)]
    for name, place in listed.items():
        path, _, test = place.partition("::")
        file = TESTS / path
        if not file.is_file() or f"def {test}(" not in file.read_text():
            found.append(f"{name}: there is no test tests/{place}")
    return found


def test_every_task_is_run_twice_in_a_test():
    listed = faults(tasks(), RUN_TWICE)
    assert not listed, "\n".join(listed)


def test_the_timetable_names_tasks_that_exist():
    named = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert named
    assert named - tasks() == set()


def test_a_task_without_its_test_would_be_found():
    here = "house/test_tasks.py::test_every_task_is_run_twice_in_a_test"
    assert faults({"a.task"}, {"a.task": here}) == []
    assert faults({"a.task"}, {})
    assert faults(set(), {"a.task": here})
    assert faults({"a.task"}, {"a.task": "house/test_tasks.py::test_that_is_not_there"})
