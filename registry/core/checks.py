"""System checks over the declarations: they stop the build, not a dataset."""

from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, register

from .dictionary import declared_models, items_of


@register()
def every_column_has_a_privacy_class(**kwargs: Any) -> list[CheckMessage]:
    """Refuse a column of a site's record that says nothing about how it may leave."""
    return [
        Error(
            f"{model._meta.label}.{column.name} has no privacy class.",
            hint="Declare it with a function of core.dictionary, or classify it with kept().",
            obj=model,
            id="saphena.E001",
        )
        for model in apps.get_models()
        if getattr(model, "is_site_record", False)
        for column in model._meta.concrete_fields
        if not column.primary_key and not hasattr(column, "item")
    ]


@register()
def export_names_are_unique(**kwargs: Any) -> list[CheckMessage]:
    """Refuse two items that would leave under one name."""
    seen: dict[str, str] = {}
    errors: list[CheckMessage] = []
    for model in declared_models():
        for name in items_of(model):
            exported = f"{model.declaration.code}_{name}"  # type: ignore[attr-defined]
            place = f"{model._meta.label}.{name}"
            if exported in seen:
                errors.append(
                    Error(
                        f"{place} and {seen[exported]} would both leave as {exported}.",
                        obj=model,
                        id="saphena.E002",
                    )
                )
            seen[exported] = place
    return errors
