"""The codebook as one page that needs nothing else: no host, no script, no other file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from registry.core.dictionary import ABSENCE_CODES, Kind

from ..profiles import Profile
from .codebook import Described, DescribedTable, range_text

STYLE = """
:root { color-scheme: light; --line: #d0d7de; --quiet: #57606a; --accent: #0b5d6b; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 84rem; padding: 1rem; color: #1f2328; background: #fff;
  font: 15px/1.5 system-ui, sans-serif; }
a { color: var(--accent); }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; }
nav ul { columns: 17rem; column-gap: 2rem; margin: 0; padding-left: 1.2rem; }
section { margin-top: 2rem; }
table { border-collapse: collapse; table-layout: fixed; width: 100%; }
caption { text-align: left; padding: 0 0 .5rem; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left;
  vertical-align: top; }
thead th { border-bottom: 2px solid var(--accent); }
thead th { width: 17%; }
thead th:first-child, thead th:nth-child(3) { width: 25%; }
tbody th { font-weight: normal; }
tbody th, td { overflow-wrap: anywhere; }
code { font: .87em ui-monospace, monospace; }
ul.plain { list-style: none; margin: 0; padding: 0; }
.quiet { color: var(--quiet); }
.key { border: 1px solid var(--accent); border-radius: 3px; color: var(--accent);
  font-size: .75em; padding: 0 .3em; }
@media screen and (max-width: 56rem) {
  table, caption, tbody, tr, tbody th, td { display: block; width: auto; }
  thead { display: none; }
  tr { border-bottom: 1px solid var(--line); padding: .5rem 0; }
  th, td { border: 0; padding: .1rem 0; }
  td:empty { display: none; }
  td[data-of]::before { content: attr(data-of) ": "; color: var(--quiet); }
}
@media print {
  body { max-width: none; padding: 0; font-size: 8.5pt; }
  thead { display: table-header-group; }
  tr { break-inside: avoid; }
  a { color: inherit; text-decoration: none; }
}
"""


def as_html(profile: Profile, described: Sequence[DescribedTable]) -> str:
    """The page, the same bytes for the same tables."""
    style = mark_safe(STYLE)  # noqa: S308  (our own)
    return format_html(
        PAGE,
        style=style,
        profile=profile.label,
        description=profile.description,
        absences=_choices(ABSENCE_CODES),
        contents=format_html_join("\n", CONTENT, map(_content, described)),
        tables=format_html_join("\n", "{}", ((_table(one),) for one in described)),
    )


PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Codebook – Saphena registry</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>Codebook of a dataset of the Saphena registry</h1>
<p>Profile: {profile}. {description}</p>
</header>
<nav aria-labelledby="contents">
<h2 id="contents">Tables</h2>
<ul>
{contents}
</ul>
</nav>
<main>
<section aria-labelledby="absences">
<h2 id="absences">Why a value is missing</h2>
<p>An empty value is missing. Where it was recorded, the table <code>absence_codes</code> has the
reason, under the form and item named below:</p>
{absences}
</section>
{tables}
</main>
</body>
</html>
"""
CONTENT = '<li><a href="#{}">{}</a> <span class="quiet">{} columns</span></li>'
TABLE = """<section aria-labelledby="{name}">
<h2 id="{name}">{label}</h2>
<table>
<caption><code>{name}</code>, one row for each {keys}{joins}</caption>
<thead><tr>
<th scope="col">Column</th>
<th scope="col">Label</th>
<th scope="col">Values</th>
<th scope="col">Form and item</th>
<th scope="col">How it was made</th>
</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</section>"""
ROW = (
    '<tr><th scope="row"><code>{}</code>{}</th>'
    "<td>{}</td><td>{}</td>"
    '<td data-of="From">{}</td><td data-of="Made">{}</td></tr>'
)
NOTHING = SafeString()


def _content(described: DescribedTable) -> tuple[str, str, int]:
    table = described.table
    return table.name, table.label, len(table.columns)


def _table(described: DescribedTable) -> SafeString:
    table = described.table
    return format_html(
        TABLE,
        name=table.name,
        label=table.label,
        keys=", ".join(key.name for key in table.keys),
        joins=_joins(described),
        rows=format_html_join("\n", ROW, map(_row, described.columns)),
    )


def _joins(described: DescribedTable) -> SafeString:
    joins = ((name, ", ".join(on)) for name, on in described.joins.items())
    joined = format_html_join("; ", '<a href="#{0}">{0}</a> by {1}', joins)
    return format_html(". It joins {}.", joined) if joined else NOTHING


def _row(about: Described) -> tuple[str | SafeString, ...]:
    column = about.column
    return (
        column.name,
        mark_safe(' <span class="key">key</span>') if about.key else NOTHING,
        column.label,
        _values(about),
        _where(about),
        about.made,
    )


def _values(about: Described) -> SafeString:
    """Kind and unit, then the ranges or the codes."""
    column = about.column
    parts = [column.kind_label + (f", {column.unit}" if column.unit else "")]
    if about.possible:
        parts.append(f"possible {range_text(about.possible)}")
    if about.expected:
        parts.append(f"expected {range_text(about.expected)}")
    if column.kind == Kind.YES_NO:
        parts.append(", ".join(f"{code} {label}" for code, label in column.choices.items()))
        return format_html("{}", ": ".join(parts))
    return format_html("{}{}", "; ".join(parts), _choices(column.choices))


def _choices(choices: Mapping[str, str]) -> SafeString:
    if not choices:
        return NOTHING
    each = format_html_join("\n", "<li><code>{}</code> {}</li>", choices.items())
    return format_html('<ul class="plain">{}</ul>', each)


def _where(about: Described) -> SafeString:
    """The form's item, its section, and when it is asked."""
    column = about.column
    if not column.item:
        return NOTHING
    parts = [format_html("<code>{}</code> <code>{}</code>", column.form, column.item)]
    if about.section:
        parts.append(format_html("section {}", about.section))
    if about.asked_when:
        parts.append(format_html("asked when {}", about.asked_when.replace("|", ", ")))
    return format_html_join(mark_safe("<br>"), "{}", ((part,) for part in parts))
