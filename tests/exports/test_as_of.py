"""Records as of a cut-off: what history gives back is what stood there, whatever happened since."""

import random
from datetime import date, timedelta

import pytest
from django.db import connection, connections, transaction
from psycopg import sql

from registry.access.scope import user_scope
from registry.crfs.models import Ceap, Laboratory
from registry.exports.as_of import as_of, live, sources
from registry.participants.models import Participant
from registry.ulcers.models import Ulcer
from registry.visits.models import FormEntry, Visit

from .. import build

HOSTILE = '"a", \n\r\t\\N {"b": null} 佐藤 \u2028 =1+1'


def owner(statement, *values):
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else None


def rows(relation, columns):
    """Every row as the database writes it, in the order of keys."""
    shown = sql.SQL(", ").join(map(sql.Identifier, columns))
    return owner(sql.SQL("SELECT ROW({})::text FROM {} ORDER BY id").format(shown, relation))


def recorded(model):
    """The columns that history knows."""
    left_out = {model._meta.get_field(name).column for name in model.unrecorded}
    return [field.column for field in model._meta.concrete_fields if field.column not in left_out]


def now():
    return owner("SELECT clock_timestamp()")[0][0]


def standing():
    """All sources as they stand, and the moment."""
    return {model: rows(live(model), recorded(model)) for model in sources()}, now()


def taken_back(cut_off):
    with transaction.atomic(using="owner"):
        owner("SELECT release.take_back(%s)", cut_off)
        found = {model: rows(as_of(model), recorded(model)) for model in sources()}
        transaction.set_rollback(True, using="owner")
    return found


def some_change(cohort, draw):
    """One thing that happens in a registry, in a transaction of its own."""
    someone = draw.choice(cohort.people)
    by = cohort.ben if someone.site_id == cohort.rio.pk else cohort.ana
    with user_scope(by):
        match draw.randrange(9):
            case 0:
                values = {"calcium_total": draw.choice(["2.400", "2.45", None, "5.999"])}
                Laboratory.objects.filter(entry__participant=someone).update(**values)
            case 1:
                absent = draw.choice([{}, {"crp": HOSTILE}, {"crp": "not_done"}])
                Laboratory.objects.filter(entry__participant=someone).update(absent=absent)
            case 2:
                values = {"anatomy": draw.choice([["As"], ["As", "Ad"], ["An"]])}
                values["examiner"] = draw.choice([HOSTILE, "佐藤", "Dr X"])
                Ceap.objects.filter(entry__participant=someone).update(**values)
            case 3:
                days = timedelta(draw.randrange(-40, 40))
                planned = Visit.objects.filter(participant=someone, attended_on=None)
                for visit in planned[: draw.randrange(4)]:
                    visit.target_on += days
                    visit.missed_because = HOSTILE
                    visit.save()
            case 4:
                contact = {"attempted_on": date(2024, 4, 1), "outcome": "reached", "means": "phone"}
                build.row(by, someone, "contact", **contact)
            case 5:
                label = f"L{draw.randrange(10**4)}"
                Ulcer.objects.create(
                    participant=someone,
                    limb="left",
                    label=label,
                    location=["medial_malleolus"],
                    onset_on="2023",
                    recorded_on="2024-05-05",
                    by=by,
                )
            case 6:
                ulcer = Ulcer.objects.filter(participant=someone).order_by("?").first()
                if ulcer and draw.random() < 0.5:
                    ulcer.delete()
                elif ulcer:
                    Ulcer.objects.filter(pk=ulcer.pk).update(onset_on="2022-11")
            case 7:
                draft = {"draft": {"note": [HOSTILE]}, "draft_by": by}
                FormEntry.objects.filter(participant=someone, form="vcss").update(**draft)
            case 8:
                Participant.objects.filter(pk=someone.pk).update(
                    sex=draw.choice(["male", "female", "other"]), onset_month=draw.choice([None, 3])
                )


@pytest.mark.parametrize("seed", range(6))
def test_every_source_is_as_it_stood_at_each_of_several_moments(cohort, seed):
    """Against an independent oracle: what was read when it was so."""
    draw = random.Random(seed)
    remembered = []
    for _ in range(4):
        remembered.append(standing())
        for _ in range(draw.randrange(1, 12)):
            some_change(cohort, draw)
    someone = build.participant(cohort.ana)
    build.attended(cohort.ana, someone)
    for before, moment in remembered:
        after = taken_back(moment)
        assert {m: after[m] for m in after if after[m] != before[m]} == {}
    assert any(before != taken_back(now()) for before, _moment in remembered)


def test_whole_transactions_belong_to_the_moment_they_began(cohort):
    """A write long after the cut-off, in a transaction begun before it, is in; and none is half."""
    with user_scope(cohort.ana):
        Ceap.objects.filter(entry__participant=cohort.people[0]).update(symptomatic=False)
        cut_off = now()
        Ceap.objects.filter(entry__participant=cohort.people[1]).update(symptomatic=False)
    before, _moment = standing()
    with user_scope(cohort.ana):
        Ceap.objects.update(symptomatic=None)
    assert taken_back(cut_off)[Ceap] == before[Ceap]


def test_every_source_is_recorded_in_history(db):
    """What is not cannot be given back."""
    with connection.cursor() as cursor:
        for model in sources():
            assert not model.append_only, model
            cursor.execute(
                "SELECT count(*) FROM pg_trigger WHERE tgname = 'z_record_change'"
                " AND tgrelid = %s::regclass AND tgenabled <> 'D'",
                [model._meta.db_table],
            )
            assert cursor.fetchone() == (1,), model
