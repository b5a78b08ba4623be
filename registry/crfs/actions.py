"""Writes of the paper forms that are no form themselves."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from registry.access.models import Site, User
from registry.core.errors import RefusedError

from .limits import LaboratoryLimit


class LimitError(RefusedError):
    """Reference limits that cannot hold."""


@transaction.atomic
def set_limits(
    *, by: User, site: Site, item: str, valid_from: date, low: Decimal | None, high: Decimal | None
) -> LaboratoryLimit:
    """Set the limits of a laboratory item at a site from a day on; ``low``, ``high`` in its unit.

    Results entered before keep the limits they were saved with.
    """
    if low is None and high is None:
        raise LimitError(_("Enter the lower or the upper limit, or both."), "low")
    if low is not None and high is not None and low >= high:
        raise LimitError(_("The lower limit must lie below the upper one."), "low")
    limit, _created = LaboratoryLimit.objects.update_or_create(
        site=site, item=item, valid_from=valid_from, defaults={"low": low, "high": high}
    )
    return limit
