"""The files of a form: a page to see, add and remove them, and each file itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from registry.access.roles import Permission
from registry.access.views import UserRequest, needs
from registry.audit.actions import log_look
from registry.core.errors import RefusedError
from registry.participants.guard import check_page

from .attaching import SUFFIXES, add_attachment, remove_attachment
from .attachment import Attachment
from .crf import FileItem
from .models import FormEntry


class FileForm(forms.Form):
    """One file; the problems of its content come from the action."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        widget=forms.FileInput(attrs={"class": "form-control"}),
        error_messages={
            "required": gettext_lazy("Choose a file."),
            "empty": gettext_lazy("The file is empty."),
            "missing": gettext_lazy("Choose a file."),
        },
    )

    def __init__(self, item: FileItem, **options: Any) -> None:
        super().__init__(**options)
        self.fields["file"].widget.attrs["accept"] = ",".join(sorted(item.media_types))

    @property
    def problems(self) -> Iterable[tuple[str, str]]:
        """(id of the control, message) of every error, for the summary on top of the page."""
        return [
            (self["file"].id_for_label, str(message)) for message in self.errors.get("file", ())
        ]


@needs(Permission.VIEW)
@require_http_methods(["GET", "POST"])
def attachments(request: UserRequest, entry_id: int, item: str) -> HttpResponse:
    """The files that answer one question of a form, and the upload of another."""
    entries = FormEntry.objects.visible_to(request.user)
    entry = get_object_or_404(
        entries.select_related("participant__site", "visit__participant"), pk=entry_id
    )
    asked = next((one for one in entry.file_items if one.name == item), None)
    if asked is None:
        raise Http404
    may_enter = request.user.may(Permission.ENTER, entry.site_id)
    form = FileForm(asked)
    status = 200
    if request.method == "POST":
        if not may_enter:
            raise PermissionDenied
        check_page(request, entry.participant)
        form = FileForm(asked, data=request.POST, files=request.FILES)
        if form.is_valid():
            upload = form.cleaned_data["file"]
            try:
                add_attachment(by=request.user, entry=entry, item=asked, upload=upload)
            except RefusedError as refused:
                form.add_error("file", str(refused))
            else:
                messages.success(request, _("The file is kept."))
                return redirect("attachments", entry.pk, item)
        status = 422
    kept = Attachment.objects.filter(entry=entry, item=item).select_related("by")
    context = {
        "entry": entry,
        "visit": entry.visit,
        "participant": entry.participant,
        "item": asked,
        "attachments": kept if may_enter or not asked.identifying else [],
        "hidden": asked.identifying and not may_enter and kept.exists(),
        "form": form,
        "may_enter": may_enter,
        "may_add": may_enter and not entry.locked and (asked.several or not kept),
    }
    return render(request, "visits/attachments.html", context, status=status)


@needs(Permission.VIEW)
@require_GET
def attachment(request: UserRequest, pk: int) -> Any:
    """The file itself; the look is logged."""
    found = _attachment(request, pk, Permission.VIEW)
    if found.file_item.identifying and not request.user.may(Permission.ENTER, found.site_id):
        raise PermissionDenied
    log_look(by=request.user, record=found, what=found.item)
    return FileResponse(
        found.stored.open("rb"),
        as_attachment=not found.is_picture,
        filename=f"{found.item}-{found.pk}.{SUFFIXES[found.media_type]}",
        content_type=found.media_type,
    )


@needs(Permission.ENTER)
@require_POST
def attachment_removed(request: UserRequest, pk: int) -> HttpResponse:
    """Remove a file, with a reason."""
    found = _attachment(request, pk, Permission.ENTER)
    entry_id, item = found.entry_id, found.item
    check_page(request, found.entry.participant)
    try:
        remove_attachment(by=request.user, attachment=found, reason=request.POST.get("reason", ""))
    except RefusedError as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("The file is removed."))
    return redirect("attachments", entry_id, item)


def _attachment(request: UserRequest, pk: int, permission: Permission) -> Attachment:
    seen = Attachment.objects.visible_to(request.user, permission)
    return get_object_or_404(seen.select_related("entry__participant"), pk=pk)
