"""Signatures and the lock of a visit: what is signed, by whom, since when it is void."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from registry.access.models import User
from registry.access.proof import password_problem
from registry.access.roles import Permission
from registry.access.views import UserRequest, fetch, needs
from registry.audit.models import Signature
from registry.core.dictionary import items_of
from registry.core.errors import RefusedError
from registry.participants.guard import check_page
from registry.quality.models import DataQuery
from registry.visits import attesting
from registry.visits.crf import FORMS
from registry.visits.models import LIMBS, FormEntry, Visit

from .shown import changed_since, hold


@dataclass(frozen=True)
class Signed:
    """A signature as the pages show it.

    ``changed`` names what voided it; ``differs`` says that the values no longer have the
    fingerprint signed although nothing recorded a change.
    """

    signature: Signature
    forms: list[str]
    changed: str = ""
    differs: bool = False


def signatures_of(visit: Visit) -> list[Signed]:
    """The visit's signatures, newest first; the one that stands is compared with the values."""
    found = (
        Signature.objects.filter(label=visit._meta.label_lower, key=visit.pk)
        .select_related("voiding__by")
        .order_by("-pk")
    )
    return [_signed(signature) for signature in found]


def _signed(signature: Signature) -> Signed:
    forms = list(dict.fromkeys(FORMS[one["form"]].label for one in signature.covers.values()))
    if not signature.stands:
        return Signed(signature, forms, changed=_changed(signature))
    contents = attesting.contents_of(
        FormEntry.objects.filter(pk__in=[int(entry) for entry in signature.covers])
    )
    now = attesting.signed_fingerprint(signature.covers, contents)
    return Signed(signature, forms, differs=now != signature.fingerprint)


def _changed(signature: Signature) -> str:
    """The form, the leg and the items whose change voided the signature."""
    voiding = signature.voiding
    place: Mapping[str, Any] = signature.covers.get(str(voiding.entry), {})
    if not place:
        return _("a signed value")
    model = FORMS[place["form"]].model
    asked = items_of(model) | {one.name: one for one in model.file_items}
    names = [asked[name].label if name in asked else name for name in voiding.items]
    leg = place["occurrence"] or dict(LIMBS).get(place["limb"], "")
    where = " ".join(str(part) for part in (FORMS[place["form"]].label, leg) if part)
    return f"{where}: {', '.join(dict.fromkeys(names))}"


def not_covered(entries: Iterable[FormEntry]) -> Iterator[str]:
    """The forms that no standing signature covers."""
    for entry in entries:
        if entry.signature_id is None:
            yield " ".join(str(part) for part in (FORMS[entry.form].label, entry.place) if part)


def block(user: User, visit: Visit) -> dict[str, Any]:
    """What the visit's page says about signing and locking."""
    entries = list(visit.entries.select_related("locked_by").order_by("pk"))
    locked = [entry for entry in entries if entry.locked]
    finished = bool(entries) and all(entry.is_finished for entry in entries)
    uncovered = list(dict.fromkeys(not_covered(entries)))
    return {
        "entries": entries,
        "signatures": signatures_of(visit),
        "not_covered": uncovered,
        "locked": locked[0] if locked else None,
        "may_sign": bool(finished and uncovered and not locked)
        and user.may(Permission.SIGN, visit.site_id),
        "may_lock": bool(finished and not uncovered and not locked) and _may_lock(user, visit),
        "may_unlock": bool(locked) and user.may(Permission.MANAGE_DATA, visit.site_id),
        "finished": finished,
    }


def _may_lock(user: User, visit: Visit) -> bool:
    who = (Permission.SIGN, Permission.MANAGE_DATA)
    return any(user.may(permission, visit.site_id) for permission in who)


@needs(Permission.SIGN)
def sign(request: UserRequest, pk: int) -> HttpResponse:
    """Sign a complete visit: the meaning, and the password again."""
    visit = _visit(request, pk, Permission.SIGN)
    meaning, problems, status = request.POST.get("meaning", ""), [], 422
    if request.method == "POST":
        check_page(request, visit.participant)
        hold(visit.entries.all(), visit.participant_id)
        try:
            if changed := changed_since(request.POST, visit.entries.all()):
                problems, status = [("", changed)], 409
            elif problem := password_problem(
                request, _("This is not your password. Nothing was signed.")
            ):
                problems = [("id_password", problem)]
            else:
                attesting.sign_visit(by=request.user, visit=visit, meaning=meaning)
                messages.success(request, _("%(visit)s is signed.") % {"visit": visit.label})
                return redirect("visit", pk)
        except RefusedError as refused:
            problems = [("id_meaning" if refused.item == "meaning" else "", str(refused))]
    open_queries = DataQuery.objects.visible_to(request.user).unanswered()
    context = {
        "visit": visit,
        "participant": visit.participant,
        "signing": block(request.user, visit),
        "meanings": Signature.Meaning.choices,
        "meaning": meaning,
        "problems": problems,
        "queries": open_queries.filter(participant_no=visit.participant_id).count(),
    }
    return render(request, "desk/sign.html", context, status=status if problems else 200)


@needs(Permission.SIGN, Permission.MANAGE_DATA)
@require_POST
def lock(request: UserRequest, pk: int) -> HttpResponse:
    """Lock a signed visit."""
    visit = _visit(request, pk, Permission.VIEW)
    if not _may_lock(request.user, visit):
        raise PermissionDenied
    check_page(request, visit.participant)
    try:
        attesting.lock_visit(by=request.user, visit=visit)
        messages.success(request, _("%(visit)s is locked.") % {"visit": visit.label})
    except RefusedError as refused:
        messages.error(request, str(refused))
    return redirect("visit", pk)


@needs(Permission.MANAGE_DATA)
def unlock(request: UserRequest, pk: int) -> HttpResponse:
    """Unlock a visit, with a reason."""
    visit = _visit(request, pk, Permission.MANAGE_DATA)
    reason, problems = request.POST.get("reason", ""), []
    if request.method == "POST":
        check_page(request, visit.participant)
        try:
            attesting.unlock_visit(by=request.user, visit=visit, reason=reason)
            messages.success(request, _("%(visit)s is open again.") % {"visit": visit.label})
            return redirect("visit", pk)
        except RefusedError as refused:
            problems = [("id_reason" if refused.item else "", str(refused))]
    context = {
        "visit": visit,
        "participant": visit.participant,
        "reason": reason,
        "problems": problems,
    }
    return render(request, "desk/unlock.html", context, status=422 if problems else 200)


def _visit(request: UserRequest, pk: int, permission: Permission) -> Visit:
    visits = Visit.objects.select_related("participant__site")
    found: Visit = fetch(request, visits, permission, pk=pk)
    return found
