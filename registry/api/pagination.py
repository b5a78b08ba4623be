"""Pages that neither skip nor repeat a row while others write."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from registry.core.numbers import read_whole

PAGE_SIZE, LARGEST = 100, 1000
POSITION = re.compile(r"[0-9]{1,100}")  # of thousands of digits Python reads no number


class Pages(CursorPagination):
    """Keyset pages in the order of entry; the next page is the link in ``next``."""

    ordering = "pk"
    page_size = PAGE_SIZE
    max_page_size = LARGEST
    page_size_query_param = "page_size"

    def get_page_size(self, request: Request) -> int:
        size = read_whole(request.query_params.get(self.page_size_query_param, str(PAGE_SIZE)))
        if not 1 <= size <= LARGEST:
            raise ValidationError(
                {"page_size": _("Give a number from 1 to %(most)s.") % {"most": LARGEST}}
            )
        return size

    def decode_cursor(self, request: Request) -> Cursor | None:
        refused = ValidationError({"cursor": _("Follow the link in “next” as it is.")})
        try:
            cursor: Any = super().decode_cursor(request)
        except NotFound:
            raise refused from None
        position = cursor.position if cursor else None
        if position is not None and not POSITION.fullmatch(position):
            raise refused
        return cursor
