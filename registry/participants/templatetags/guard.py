"""What a page's form carries of whom it was made for."""

from __future__ import annotations

from typing import Any

from django import template

from registry.participants import guard

register = template.Library()


@register.simple_tag(takes_context=True)
def page_token(context: Any) -> str:
    """The token of the page's ``participant`` for who looks at it."""
    return guard.page_token(context["user"], context["participant"])
