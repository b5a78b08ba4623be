"""What every view starts with, and the pages of users, sites and tokens."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from django_htmx.middleware import HtmxDetails

from registry.core.errors import ConflictError, RefusedError

from . import actions
from .forms import (
    NewSiteForm,
    NewUserForm,
    PlainForm,
    RoleForm,
    SiteForm,
    TokenForm,
    UserForm,
    initial_of,
)
from .models import ApiToken, Membership, Site, SiteRecord, SiteRecords, User
from .roles import Permission

View = Callable[..., HttpResponse]


class UserRequest(HttpRequest):
    """A request as views behind :func:`needs` get it: of somebody signed in."""

    user: User
    htmx: HtmxDetails


Record = TypeVar("Record", bound=SiteRecord)


def needs(*permissions: Permission) -> Callable[[View], View]:
    """Let a view be reached only by users holding one of ``permissions`` somewhere.

    Anonymous users go to the log-in, others get 403. Which rows they then see is a matter of
    ``visible_to``.
    """

    def decorate(view: View) -> View:
        @login_required
        @wraps(view)
        def guarded(request: UserRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not any(request.user.may(permission) for permission in permissions):
                raise PermissionDenied
            try:
                return view(request, *args, **kwargs)
            except ConflictError as conflict:
                return _conflict(request, str(conflict))

        guarded.permissions = permissions  # type: ignore[attr-defined]
        return guarded

    return decorate


def by_script(request: HttpRequest) -> bool:
    """Whether a page's script asks, which reads JSON."""
    return request.headers.get("Accept") == "application/json"


def _conflict(request: HttpRequest, message: str) -> HttpResponse:
    if by_script(request):
        return JsonResponse({"message": message}, status=409)
    return render(request, "access/conflict.html", {"problems": [("", message)]}, status=409)


def fetch(request: UserRequest, records: SiteRecords, permission: Permission, **which: Any) -> Any:
    """The one record ``which``: 404 where the user sees nothing, 403 without ``permission``."""
    record = get_object_or_404(records.visible_to(request.user), **which)
    if not request.user.may(permission, record.site_id):
        raise PermissionDenied
    return record


def posted(request: HttpRequest) -> QueryDict | None:
    """What was sent, also when it is empty; None on GET."""
    return request.POST if request.method == "POST" else None


def page(request: UserRequest, template: str, form: PlainForm, **context: Any) -> HttpResponse:
    """A page around one form; 422 when what was typed was refused."""
    status = 422 if form.errors else 200
    return render(request, template, {"form": form, **context}, status=status)


# -- users -----------------------------------------------------------------------------------


def _people() -> Any:
    return User.objects.filter(is_system=False)


@needs(Permission.MANAGE_USERS)
def users(request: UserRequest) -> HttpResponse:
    people = _people().prefetch_related("memberships__site")
    return render(request, "access/users.html", {"people": people})


@needs(Permission.MANAGE_USERS)
def new_user(request: UserRequest) -> HttpResponse:
    form = NewUserForm(posted(request))
    if form.is_valid():
        try:
            created = actions.create_user(by=request.user, **form.cleaned_data)
        except RefusedError as refused:
            form.refuse(refused)
        else:
            messages.success(
                request,
                _("%(name)s is created and gets a mail to set a password. Now give a role.")
                % {"name": created.name},
            )
            return redirect("user", created.pk)
    return page(request, "access/user_new.html", form)


@needs(Permission.MANAGE_USERS)
def user(request: UserRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(_people(), pk=pk)
    form = UserForm(posted(request), initial=initial_of(person, UserForm))
    if form.is_valid():
        try:
            actions.change_user(by=request.user, user=person, **form.cleaned_data)
        except RefusedError as refused:
            form.refuse(refused)
        else:
            messages.success(request, _("Saved."))
            return redirect("user", pk)
    return _user_page(request, person, form=form)


def _user_page(
    request: UserRequest,
    person: User,
    form: UserForm | None = None,
    role_form: RoleForm | None = None,
    refused: str = "",
) -> HttpResponse:
    form = form or UserForm(initial=initial_of(person, UserForm))
    role_form = role_form or RoleForm()
    problems = [*form.problems, *role_form.problems, *([("", refused)] if refused else [])]
    context = {
        "person": person,
        "form": form,
        "role_form": role_form,
        "memberships": person.memberships.select_related("site"),
        "problems": problems,
    }
    return render(request, "access/user.html", context, status=422 if problems else 200)


@needs(Permission.MANAGE_USERS)
@require_POST
def add_role(request: UserRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(_people(), pk=pk)
    form = RoleForm(request.POST)
    if form.is_valid():
        try:
            actions.grant_role(by=request.user, user=person, **form.cleaned_data)
        except RefusedError as refused:
            form.refuse(refused)
        else:
            messages.success(request, _("Role given."))
            return redirect("user", pk)
    return _user_page(request, person, role_form=form)


@needs(Permission.MANAGE_USERS)
@require_POST
def remove_role(request: UserRequest, pk: int, role: int) -> HttpResponse:
    membership = get_object_or_404(Membership, pk=role, user=pk, user__is_system=False)
    try:
        actions.revoke_role(by=request.user, membership=membership)
    except RefusedError as refused:
        return _user_page(request, membership.user, refused=str(refused))
    messages.success(request, _("Role removed."))
    return redirect("home") if pk == request.user.pk else redirect("user", pk)


@needs(Permission.MANAGE_USERS)
@require_POST
def mail_password_link(request: UserRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(_people(), pk=pk)
    try:
        actions.send_password_link(by=request.user, user=person)
    except RefusedError as refused:
        return _user_page(request, person, refused=str(refused))
    messages.success(
        request,
        _("A mail with a link is on its way to %(email)s.") % {"email": person.email},
    )
    return redirect("user", pk)


# -- sites -----------------------------------------------------------------------------------


@needs(Permission.MANAGE_USERS)
def sites(request: UserRequest) -> HttpResponse:
    return render(request, "access/sites.html", {"sites": Site.objects.all()})


@needs(Permission.MANAGE_USERS)
def new_site(request: UserRequest) -> HttpResponse:
    form = NewSiteForm(posted(request))
    if form.is_valid():
        created = actions.create_site(by=request.user, values=form.cleaned_data)
        messages.success(request, _("%(site)s is created.") % {"site": created})
        return redirect("site", created.pk)
    return page(request, "access/site_form.html", form, heading=_("New site"))


@needs(Permission.MANAGE_USERS)
def site(request: UserRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Site, pk=pk)
    form = SiteForm(posted(request), initial=initial_of(found, SiteForm))
    if form.is_valid():
        actions.change_site(by=request.user, site=found, values=form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("site", pk)
    return page(request, "access/site_form.html", form, heading=found.name, site=found)


# -- language --------------------------------------------------------------------------------


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Choose the language of pages and mails, and go back to where one was."""
    where, chosen = request.POST.get("next", ""), request.POST.get("language", "")
    if not url_has_allowed_host_and_scheme(where, {request.get_host()}, request.is_secure()):
        where = reverse("home")
    response = redirect(where)
    if chosen in dict(settings.LANGUAGES):
        response.set_cookie(settings.LANGUAGE_COOKIE_NAME, chosen, samesite="Lax", httponly=True)
        if isinstance(request.user, User):
            actions.choose_language(by=request.user, language=chosen)
    return response


# -- tokens ----------------------------------------------------------------------------------


@login_required
def tokens(request: UserRequest) -> HttpResponse:
    """The user's own API tokens. A new one is shown in the answer to its creation, and nowhere."""
    form = TokenForm(posted(request))
    shown = ""
    if form.is_valid():
        _token, shown = actions.create_token(by=request.user, **form.cleaned_data)
        form = TokenForm()
    own = ApiToken.objects.filter(user=request.user)
    return page(request, "access/tokens.html", form, own=own, shown=shown)


@login_required
@require_POST
def revoke_token(request: UserRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(ApiToken, pk=pk, user=request.user)
    actions.revoke_token(by=request.user, token=token)
    messages.success(request, _("%(name)s is revoked.") % {"name": token.name})
    return redirect("tokens")
