"""The end of a copy: a day later, or when its file is not the one that was made."""

from datetime import timedelta

import pytest
from django.utils import timezone

from registry.access.scope import user_scope
from registry.exports import actions, tasks
from registry.exports.actions import ExportError, copying

from .own import copies, fresh


def test_after_a_day_it_is_deleted(cohort, take):
    own = take()
    copy = own.copy
    tasks.sweep_builds()
    assert copies()
    assert timedelta(hours=23) < copy.expires_at - timezone.now() <= timedelta(hours=24)
    copying._note(copy, expires_at=timezone.now())
    with user_scope(cohort.hiro), pytest.raises(ExportError, match="no file any more"):
        actions.open_copy(by=cohort.hiro, copy=copy)  # also before the sweep comes by
    for _ in range(2):
        tasks.sweep_builds()
        assert (fresh(copy).state, copy.stored_as, copy.wrapped_key) == ("deleted", "", None)
    assert not copies()


@pytest.mark.parametrize("how", ["altered", "cut off", "gone"])
def test_a_spoiled_file_is_refused(cohort, take, how):
    copy = take().copy
    [file] = copies()
    data = file.read_bytes()
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(data[:-1] if how == "cut off" else bytes([data[0] ^ 1]) + data[1:])
    with user_scope(cohort.hiro), pytest.raises(ExportError, match="not the one that was made"):
        actions.open_copy(by=cohort.hiro, copy=copy)
