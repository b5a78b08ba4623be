"""Films of a leg for its site, and the blinded pages of readers.

A reader reaches films under keys of their own only: nothing on their pages, in their addresses
or headers says whose leg it is, where or when it was taken, or in which order films came in.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from registry.access.models import User
from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.audit.actions import log_look
from registry.core.dictionary import items_of
from registry.core.errors import RefusedError
from registry.participants.guard import check_page
from registry.visits.models import FormEntry, Visit

from . import actions
from .blinding import key_of, study_of
from .forms import FilmForm, ReadingForm
from .models import Film, Xray

# -- the site's films ------------------------------------------------------------------------


@needs(Permission.VIEW)
@require_http_methods(["GET", "POST"])
def films(request: UserRequest, visit_id: int, limb: str) -> HttpResponse:
    """The films of one leg at a visit, and the upload of another."""
    visit = get_object_or_404(
        Visit.objects.visible_to(request.user).select_related("participant__site"), pk=visit_id
    )
    entry = get_object_or_404(FormEntry, visit=visit, form="xray", limb=limb)
    xray = entry.record()
    form = FilmForm()
    status = 200
    if request.method == "POST":
        _need_entry(request, visit.site_id)
        check_page(request, visit.participant)
        form = FilmForm(request.POST, request.FILES)
        if xray is None or not xray.performed:
            form.add_error(None, _("Save the X-ray form with “performed: yes” first."))
        elif form.is_valid():
            try:
                film = actions.add_film(
                    by=request.user, xray=xray, upload=form.cleaned_data["film"]
                )
            except RefusedError as error:
                form.add_error("film", str(error))
            else:
                messages.success(
                    request,
                    _("The film is stored. Look at it, and confirm that it shows no name.")
                    if film.to_check
                    else _("The film is stored."),
                )
                return redirect("films", visit_id, limb)
        status = 422
    context = {
        "visit": visit,
        "participant": visit.participant,
        "entry": entry,
        "xray": xray,
        "films": _films(xray) if xray else [],
        "form": form,
        "may_enter": request.user.may(Permission.ENTER, visit.site_id),
    }
    return render(request, "imaging/films.html", context, status=status)


@needs(Permission.ENTER)
@require_POST
def film_checked(request: UserRequest, pk: int) -> HttpResponse:
    """A person confirms that the picture shows no identifying text."""
    film = _film(request, pk, Permission.ENTER)
    check_page(request, film.xray.entry.participant)
    actions.confirm_checked(by=request.user, film=film)
    return _back_to(film)


@needs(Permission.ENTER)
@require_POST
def film_removed(request: UserRequest, pk: int) -> HttpResponse:
    film = _film(request, pk, Permission.ENTER)
    check_page(request, film.xray.entry.participant)
    try:
        actions.remove_film(by=request.user, film=film, reason=request.POST.get("reason", ""))
    except RefusedError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The film is removed."))
    return _back_to(film)


@needs(Permission.VIEW)
@require_GET
def film_picture(request: UserRequest, pk: int) -> Any:
    """The preview: eight bits, full range, bone bright."""
    return _picture(request, _film_to_see(request, pk), "picture")


@needs(Permission.VIEW)
@require_GET
def film_original(request: UserRequest, pk: int) -> Any:
    """The stored file, without identifiers, at its full depth."""
    film = _film_to_see(request, pk)
    log_look(by=request.user, record=film, what="original")
    suffix = film.original.name.rpartition(".")[2]
    return FileResponse(
        film.original.open("rb"),
        as_attachment=True,
        filename=f"film-{film.pk}.{suffix}",
        content_type="application/dicom" if suffix == "dcm" else "image/png",
    )


def _films(xray: Xray) -> Any:
    return Film.objects.filter(xray=xray)


def _film(request: UserRequest, pk: int, permission: Permission) -> Film:
    seen = Film.objects.visible_to(request.user, permission)
    return get_object_or_404(seen.select_related("xray__entry__participant"), pk=pk)


def _film_to_see(request: UserRequest, pk: int) -> Film:
    film = _film(request, pk, Permission.VIEW)
    if film.to_check:
        # A name may be burnt in: until a person has looked, it stays with those who enter data.
        _need_entry(request, film.site_id)
    return film


def _need_entry(request: UserRequest, site_id: int) -> None:
    if not request.user.may(Permission.ENTER, site_id):
        raise PermissionDenied


def _back_to(film: Film) -> HttpResponse:
    entry = film.xray.entry
    return redirect("films", entry.visit_id, entry.limb)


def _picture(request: UserRequest, film: Film, what: str) -> Any:
    log_look(by=request.user, record=film, what=what)
    return FileResponse(film.picture.open("rb"), filename="film.png", content_type="image/png")


# -- reading, blinded ------------------------------------------------------------------------


@needs(Permission.READ_FILMS)
@require_GET
def readings(request: UserRequest) -> HttpResponse:
    """How many legs the reader still has to read."""
    return _worklist(request)


@needs(Permission.READ_FILMS)
@require_http_methods(["GET", "POST"])
def reading(request: UserRequest, key: str) -> HttpResponse:
    """The films of one leg, and the reader's form beside them."""
    xray = _study(request, key)
    if not Xray.objects.in_order_for(request.user).filter(pk=xray.pk).exists():
        messages.info(request, _("That leg is no longer waiting to be read."))
        return _worklist(request, status=409)
    form = ReadingForm(xray, data=request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            actions.submit_reading(by=request.user, xray=xray, values=form.values)
        except RefusedError as error:
            form.add_error(error.item or None, str(error))
        else:
            messages.success(request, _("The reading is submitted."))
            following = _next_key(request.user)
            return redirect("reading", following) if following else redirect("readings")
    views = items_of(Xray)["views"]
    context = {
        "key": key,
        "limb": xray.entry.get_limb_display(),
        "views": [views.choice_label(code) for code in xray.views or ()],
        "films": list(enumerate(_films(xray), 1)),
        "form": form,
    }
    return render(request, "imaging/reading.html", context, status=422 if form.is_bound else 200)


@needs(Permission.READ_FILMS)
@require_GET
def reading_film(request: UserRequest, key: str, number: int) -> Any:
    """The picture of the study's film ``number``, from 1."""
    xray = _study(request, key)
    if not Xray.objects.in_order_for(request.user).filter(pk=xray.pk).exists():
        raise Http404
    shown = _films(xray)[number - 1 : number] if number else []
    for film in shown:
        return _picture(request, film, "picture, to be read")
    raise Http404


def _study(request: UserRequest, key: str) -> Xray:
    return get_object_or_404(
        Xray.objects.visible_to(request.user, Permission.READ_FILMS).select_related("entry"),
        pk=study_of(request.user, key),
    )


def _next_key(reader: User) -> str | None:
    following = Xray.objects.in_order_for(reader).first()
    return key_of(reader, following.pk) if following else None


def _worklist(request: UserRequest, status: int = 200) -> HttpResponse:
    waiting = Xray.objects.in_order_for(request.user).count()
    context = {"waiting": waiting, "next": _next_key(request.user)}
    return render(request, "imaging/readings.html", context, status=status)
