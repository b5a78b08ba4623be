"""A site of the registry to which a story happens: each fact is written as its page would."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from registry.access.models import Membership, Site, User
from registry.access.roles import Role
from registry.access.scope import scope
from registry.imaging.models import Film, Reading, Xray
from registry.participants.models import Consent, ConsentVersion, Participant, Screening
from registry.participants.rules import study_number
from registry.quality import actions as quality
from registry.quality.models import DataQuery
from registry.quality.rules import Act
from registry.recall import actions
from registry.recall.kinds import ABOUT, Kind
from registry.recall.models import KindTuning, SiteTuning
from registry.visits.models import Contact, End, Event, FormEntry, Visit

from .places import Place
from .story import Fact


class Clinic:
    def __init__(self, place: Place, clock: Any) -> None:
        self.place, self.clock = place, clock
        migration = User.objects.system("migration")
        with scope(migration, []):
            self.site = Site.objects.create(
                prefix=place.prefix,
                name=place.name,
                time_zone=place.zone.key,
                sending_hour=place.hour,
            )
            self.coordinator = self._user("coordinator", Role.COORDINATOR, self.site)
            self.investigator = self._user("investigator", Role.INVESTIGATOR, self.site)
            self.manager = self._user("manager", Role.DATA_MANAGER, None)
            self.monitor = self._user("monitor", Role.MONITOR, None)
            self.reader = self._user("reader", Role.READER, None)
        self.people: dict[int, Participant] = {}
        self.visits: dict[tuple[int, str], Visit] = {}
        self.questions: dict[int, DataQuery] = {}
        self.studies: dict[tuple[int, str], Xray] = {}
        self.versions: dict[str, ConsentVersion] = {}
        with scope(self.coordinator, [self.site.pk]):
            self.on_version("1.0", date(2010, 1, 1))
            self._tune()

    def _user(self, name: str, role: Role, site: Site | None) -> User:
        user = User.objects.create(email=f"{name}@example.org", name=name.title(), password="!")
        Membership.objects.create(user=user, role=role, site=site)
        return user

    def _tune(self) -> None:
        SiteTuning.objects.create(site=self.site, weekdays=list(self.place.weekdays))
        for name, days in self.place.days.items():
            roles = list(ABOUT[Kind(name)].standard.roles)
            KindTuning.objects.create(
                site=self.site, kind=name, on=bool(days), days=list(days), roles=roles
            )

    def happens(self, fact: Fact) -> None:
        self.clock.now, what, *about = fact
        with scope(self.coordinator, [self.site.pk]):
            getattr(self, f"on_{what}")(*about)

    @property
    def today(self) -> date:
        return self.clock.now.astimezone(self.place.zone).date()

    def names(self) -> dict[tuple[str, int], Any]:
        """(label, key) → what the oracle calls the record."""
        return (
            {("participants.participant", one.pk): ("person", n) for n, one in self.people.items()}
            | {("visits.visit", one.pk): ("visit", *n) for n, one in self.visits.items()}
            | {("quality.dataquery", one.pk): ("question", n) for n, one in self.questions.items()}
            | {("imaging.xray", one.pk): ("study", *n) for n, one in self.studies.items()}
        )

    # -- what happens ----------------------------------------------------------------------------

    def on_enrolled(self, person: int, enrolled: date) -> None:
        screening = Screening.objects.create(
            site=self.site,
            screened_on=enrolled,
            adult=True,
            arm="cvi",
            venous_status="present",
            able_to_consent=True,
            pregnant=False,
            by=self.coordinator,
        )
        self.people[person] = Participant.objects.create(
            site=self.site,
            screening=screening,
            study_number=study_number(self.place.prefix, person + 1),
            arm="cvi",
            sex="female",
            age_at_enrolment=60,
            enrolled_on=enrolled,
            recruited_in=["dermatology"],
            by=self.coordinator,
        )
        self._sign(person, "1.0", enrolled)

    def _sign(self, person: int, code: str, day: date) -> None:
        allowed = dict.fromkeys(["allows_images", "allows_sharing", "allows_contact"], True)
        Consent.objects.create(
            screening_id=self.people[person].screening_id,
            version=self.versions[code],
            signed_on=day,
            by=self.coordinator,
            **allowed,
        )

    def on_signed(self, person: int, code: str) -> None:
        self._sign(person, code, self.today)

    def on_version(self, code: str, since: date) -> None:
        self.versions[code] = ConsentVersion.objects.create(
            site=self.site, code=code, in_force_from=since, mandatory=True
        )

    def on_planned(self, person: int, code: str, opens: date, closes: date) -> None:
        self.visits[person, code] = Visit.objects.create(
            participant=self.people[person],
            code=code,
            target_on=opens,
            opens_on=opens,
            closes_on=closes,
        )

    def _change(self, person: int, code: str, **values: Any) -> None:
        Visit.objects.filter(pk=self.visits[person, code].pk).update(**values)

    def on_moved(self, person: int, code: str, by: timedelta) -> None:
        visit = self.visits[person, code]
        visit.opens_on, visit.closes_on = visit.opens_on + by, visit.closes_on + by
        self._change(person, code, opens_on=visit.opens_on, closes_on=visit.closes_on)

    def on_attended(self, person: int, code: str, day: date) -> None:
        self._change(person, code, attended_on=day)

    def on_unscheduled(self, person: int, day: date) -> None:
        days = dict.fromkeys(["target_on", "opens_on", "closes_on", "attended_on"], day)
        Visit.objects.create(participant=self.people[person], code=f"UNS-{day:%y%m%d}", **days)

    def on_missed(self, person: int, code: str) -> None:
        self._change(person, code, missed_because="moved away for a while", missed_on=self.today)

    def on_expected_again(self, person: int, code: str) -> None:
        self._change(person, code, missed_because="", missed_on=None)

    def on_cancelled(self, person: int, code: str) -> None:
        self._change(person, code, cancelled_on=self.today)

    def on_snoozed(self, person: int, code: str, until: date) -> None:
        actions.snooze(
            by=self.coordinator,
            site=self.site,
            label="visits.visit",
            key=self.visits[person, code].pk,
            until=until,
            because="on a journey",
        )

    def _row(self, person: int, form: str) -> FormEntry:
        rows = FormEntry.objects.filter(participant=self.people[person], form=form)
        return FormEntry.objects.create(
            participant=self.people[person], form=form, occurrence=str(rows.count() + 1)
        )

    def on_tried(self, person: int, day: date, outcome: str) -> None:
        entry = self._row(person, "contact")
        Contact.objects.create(entry=entry, done_on=day, attempted_on=day, outcome=outcome)

    def on_died(self, person: int) -> None:
        entry = self._row(person, "event")
        Event.objects.create(entry=entry, done_on=self.today, kind="death", occurred_on=self.today)

    def on_ended(self, person: int) -> None:
        entry = self._row(person, "end")
        End.objects.create(entry=entry, done_on=self.today, ended_on=self.today, reason="moved")

    def on_withdrew(self, person: int, withdrawn: str) -> None:
        consents = Consent.objects.filter(screening=self.people[person].screening_id)
        newest = consents.order_by("-signed_on", "-id").first()
        consents.filter(pk=newest.pk).update(withdrawn_on=self.today, withdrawal_scope=withdrawn)

    def on_stopped(self, person: int) -> None:
        actions.stop(by=self.coordinator, participant=self.people[person], because="asked us")

    def on_lifted(self, person: int) -> None:
        actions.lift(by=self.coordinator, participant=self.people[person])

    def on_asked(self, question: int, person: int) -> None:
        self.questions[question] = quality.raise_query(
            by=self.monitor,
            record=self.people[person],
            participant_no=self.people[person].pk,
            item="sex",
            text="Is this right?",
        )

    def _act(self, by: User, question: int, act: Act) -> None:
        quality.act_on(by=by, query=self.questions[question], act=act, text="Look again.")

    def on_answered(self, question: int) -> None:
        self._act(self.coordinator, question, Act.ANSWER)

    def on_settled(self, question: int) -> None:
        self._act(self.monitor, question, Act.CLOSE)

    def on_asked_again(self, question: int) -> None:
        self._act(self.monitor, question, Act.REOPEN)

    def on_film(self, person: int, limb: str) -> None:
        if (person, limb) not in self.studies:
            entry = FormEntry.objects.create(
                participant=self.people[person],
                visit=next(v for (n, _code), v in self.visits.items() if n == person),
                form="xray",
                limb=limb,
            )
            self.studies[person, limb] = Xray.objects.create(
                entry=entry, done_on=self.today, performed=True, acquired_on=self.today
            )
        xray = self.studies[person, limb]
        Film.objects.create(
            xray=xray,
            format="png",
            sha256=f"{xray.pk} {self.clock.now}",
            width=1,
            height=1,
            by=self.coordinator,
        )

    def on_read(self, person: int, limb: str, quality: str) -> None:
        xray = self.studies[person, limb]
        calcification = "absent" if quality == "good" else "not_assessable"
        Reading.objects.create(
            xray=xray,
            reader=self.reader,
            read_no=Reading.objects.filter(xray=xray).count() + 1,
            read_on=self.clock.now.date(),
            mode="independent",
            quality=quality,
            calcification=calcification,
        )
