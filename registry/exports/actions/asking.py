"""Writes of projects and requests: asking, deciding, ordering a build."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from django.db import connections, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.access.models import Site, User
from registry.access.roles import Permission

from .. import rules
from ..disclosure.report import blocked
from ..formats import FORMATS, USUAL
from ..models import Dataset, DatasetProject, DatasetRequest
from ..profiles import PROFILES, Profile
from .disclosing import disclosure_now
from .errors import ExportError


@transaction.atomic
def request_dataset(
    *,
    by: User,
    profile: str,
    forms: Sequence[str],
    arms: Sequence[str],
    title: str = "",
    purpose: str = "",
    project: DatasetProject | None = None,
    formats: Sequence[str] = USUAL,
    sites: Sequence[int] = (),
    enrolled_from: date | None = None,
    enrolled_to: date | None = None,
    classes: Sequence[int] = (),
) -> DatasetRequest:
    """Ask for a dataset of a new project (``title``, ``purpose``) or of one's own ``project``.

    ``profile``, ``forms``, ``arms`` and ``formats`` are codes, ``sites`` keys; what narrows the
    participants is as in :class:`DatasetRequest`. Raises :class:`ExportError`, also for a choice
    that would tell of every row what the profile does not.
    """
    if not by.may(Permission.REQUEST_DATASET):
        raise ExportError(_("Only a researcher asks for datasets."))
    asked = DatasetRequest(
        profile=profile,
        forms=sorted(set(forms)),
        arms=sorted(set(arms)),
        formats=sorted(set(formats)),
        sites=sorted(set(sites)),
        enrolled_from=enrolled_from,
        enrolled_to=enrolled_to,
        classes=sorted(set(classes)),
        asked_by=by,
    )
    expected = preview(asked)
    if project and project.researcher_id != by.pk:
        raise ExportError(_("The project is another researcher's."))
    if not project and not title.strip():
        raise ExportError(_("Give the project a title."), "title")
    if not project and not purpose.strip():
        raise ExportError(_("Say what the data are for: the steward decides by it."), "purpose")
    if expected.empty:
        raise ExportError(_("Nobody chosen here shares data: there is nothing to ask for."), "arms")
    asked.project = project or DatasetProject.objects.create(
        title=title.strip(), purpose=purpose.strip(), researcher=by
    )
    asked.save(force_insert=True)
    return asked


def preview(asked: DatasetRequest) -> rules.Preview:
    """What a request, sent or not, would give now; its numbers are hidden and rounded.

    Raises :class:`ExportError` when it may not be asked for.
    """
    _check(asked)
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT what, code, number"
            " FROM registry_sharing_counts(%s, %s, %s, %s, %s::smallint[])",
            [asked.arms, asked.sites, asked.enrolled_from, asked.enrolled_to, asked.classes],
        )
        return rules.preview(asked, [rules.Count(*row) for row in cursor.fetchall()])


def _check(asked: DatasetRequest) -> None:
    profile = PROFILES.get(asked.profile)
    if profile is None:
        raise ExportError(_("Choose how the data are de-identified."), "profile")
    for chosen, known, message, item in (
        (asked.arms, rules.arms(), _("Choose at least one arm."), "arms"),
        (asked.formats, FORMATS, _("Choose at least one format."), "formats"),
    ):
        if not chosen or not set(chosen) <= set(known):
            raise ExportError(message, item)
    if not set(asked.forms) <= set(rules.forms()):
        raise ExportError(_("There is no such form."), "forms")
    if not set(asked.classes) <= set(rules.CLASSES):
        raise ExportError(_("There is no such class."), "classes")
    _check_sites(asked, profile)
    _check_period(asked, profile)


def _check_sites(asked: DatasetRequest, profile: Profile) -> None:
    if asked.sites and not profile.tells_sites:
        raise ExportError(
            _("%(profile)s leaves the site out, so no sites can be chosen.")
            % {"profile": profile.label},
            "sites",
        )
    if Site.objects.filter(pk__in=asked.sites).count() != len(asked.sites):
        raise ExportError(_("There is no such site."), "sites")


def _check_period(asked: DatasetRequest, profile: Profile) -> None:
    tells = {12: _("calendar years"), 6: _("half-years")}[profile.months]
    for item, day, fits in (
        ("enrolled_from", asked.enrolled_from, rules.begins_step),
        ("enrolled_to", asked.enrolled_to, rules.ends_step),
    ):
        if day and not fits(day, profile):
            raise ExportError(
                _("%(profile)s tells enrolment in %(steps)s: choose whole ones.")
                % {"profile": profile.label, "steps": tells},
                item,
            )
    if asked.enrolled_from and asked.enrolled_to and asked.enrolled_from > asked.enrolled_to:
        raise ExportError(_("The period ends before it begins."), "enrolled_to")


def approve_request(*, by: User, request: DatasetRequest) -> Dataset:
    """Approve a waiting request and have its dataset built.

    Raises :class:`ExportError`, also where too few people would be in it to hide anybody.
    """
    report = disclosure_now(by=by, request=request)
    if report["blocked"]:
        raise ExportError(blocked(report))
    with transaction.atomic():
        _decide(by, request, DatasetRequest.State.APPROVED)
        return order_build(by=by, request=request)


def return_request(*, by: User, request: DatasetRequest, reason: str) -> None:
    """Return a waiting request with a reason. Raises :class:`ExportError`."""
    if not reason.strip():
        raise ExportError(_("Say why the request is returned."), "reason")
    with transaction.atomic():
        _decide(by, request, DatasetRequest.State.RETURNED, reason.strip())


def _decide(by: User, request: DatasetRequest, state: str, reason: str = "") -> None:
    if not by.may(Permission.APPROVE_DATASET):
        raise ExportError(_("Only a data steward decides on requests."))
    if by.pk in (request.asked_by_id, request.project.researcher_id):
        raise ExportError(_("Nobody decides on a request of his own: another steward has to."))
    decided = DatasetRequest.objects.filter(pk=request.pk, state=DatasetRequest.State.ASKED).update(
        state=state, decided_by=by, decided_at=timezone.now(), reason=reason
    )
    if not decided:
        raise ExportError(_("The request was decided on meanwhile."))
    request.refresh_from_db()


@transaction.atomic
def order_build(*, by: User, request: DatasetRequest) -> Dataset:
    """Queue a build of an approved request: its first, another after a failure, or a later release.

    Raises :class:`ExportError`.
    """
    from ..tasks import build_dataset

    DatasetProject.objects.select_for_update().get(pk=request.project_id)
    require_part(by, request.project)
    unfinished = Dataset.objects.filter(state__in=Dataset.UNFINISHED)
    if unfinished.filter(request__project=request.project_id).exists():
        raise ExportError(_("A dataset of this project is being built: wait until it is ready."))
    dataset = order(by=by, request=request)
    # The minute's sweep sends it again should the broker not answer.
    transaction.on_commit(lambda: build_dataset.delay(dataset.pk), robust=True)
    return dataset


def require_part(by: User, project: DatasetProject) -> None:
    """Raises :class:`ExportError` for who is neither the project's researcher nor a steward."""
    if by.pk != project.researcher_id and not by.may(Permission.APPROVE_DATASET):
        raise ExportError(_("The project is another researcher's."))


def order(*, by: User, request: DatasetRequest, cut_off: datetime | None = None) -> Dataset:
    """A dataset to be built of an approved request, as of ``cut_off``, or of when it is built.

    Raises :class:`ExportError`.
    """
    if request.state != DatasetRequest.State.APPROVED:
        raise ExportError(_("The request is not approved."))
    if cut_off and cut_off > timezone.now():
        raise ExportError(_("The cut-off lies in the future."), "cut_off")
    return Dataset.objects.create(request=request, queued_by=by, cut_off=cut_off)
