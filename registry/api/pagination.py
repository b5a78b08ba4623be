"""Pages that neither skip nor repeat a row while others write."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

PAGE_SIZE, LARGEST = 100, 1000


class Pages(CursorPagination):
    """Keyset pages in the order of entry; the next page is the link in ``next``."""

    ordering = "pk"
    page_size = PAGE_SIZE
    max_page_size = LARGEST
    page_size_query_param = "page_size"

    def get_page_size(self, request: Request) -> int:
        typed = request.query_params.get(self.page_size_query_param, str(PAGE_SIZE))
        if not (typed.isascii() and typed.isdigit() and 1 <= int(typed[:9]) <= LARGEST):
            raise ValidationError(
                {"page_size": _("Give a number from 1 to %(most)s.") % {"most": LARGEST}}
            )
        return int(typed)

    def decode_cursor(self, request: Request) -> Cursor | None:
        refused = ValidationError({"cursor": _("Follow the link in “next” as it is.")})
        try:
            cursor: Any = super().decode_cursor(request)
        except NotFound:
            raise refused from None
        position = cursor.position if cursor else None
        if position is not None and not (position.isascii() and position.isdigit()):
            raise refused
        return cursor
