"""What the database would compute from values that are not saved yet (``ux.md`` rule 34)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import DEFAULT_DB_ALIAS, models
from django.db.models import ExpressionWrapper, Value
from django.db.models.functions import Cast
from django.db.models.sql import Query
from django.db.models.sql.constants import SINGLE

from .dictionary import items_of


def derived_of(model: type[models.Model], values: Mapping[str, Any]) -> dict[str, Any]:
    """The derived items of ``model`` for ``values`` (column → value; others count as unanswered).

    PostgreSQL evaluates the columns' own expressions, so that a total seen while typing cannot
    differ from the one that is stored.
    """
    columns: dict[str, Any] = {column.name: column for column in model._meta.concrete_fields}
    names = [name for name in items_of(model) if isinstance(columns[name], models.GeneratedField)]
    if not names:
        return {}
    query = Query(None)
    for name, column in columns.items():
        if name not in names and not column.is_relation:
            typed = Cast(Value(values.get(name), output_field=column), column)  # NULL has no type
            query.add_annotation(typed, name, select=False)
    for name in names:
        column = columns[name]
        said = ExpressionWrapper(column.expression, output_field=column.output_field)
        query.add_annotation(said, name)
    row = query.get_compiler(DEFAULT_DB_ALIAS).execute_sql(SINGLE)
    return dict(zip(names, row, strict=True))
