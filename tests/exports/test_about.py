"""What goes with the tables: true, complete, and fit for those who open it."""

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest
from django.utils.translation import override

from registry.core import codebook as core
from registry.exports.about import codebook, made, stata
from registry.exports.about.texts import texts
from registry.exports.formats import FORMATS, coding
from registry.exports.profiles import PROFILES, As, Merged
from registry.exports.tables import tables

MANIFEST = {
    "request": 7,
    "cut_off": "2026-11-22T10:00:00+00:00",
    "code_version": "9fae3c1",
    "codebook_version": "0123456789ab",
    "protocol_version": "1.0",
    "arms": ["cvi", "control"],
    "formats": ["csv", "parquet"],
    "stopped_sharing_since": 0,
    "disclosure": {
        "k": 5,
        "people": 200,
        "step": "age_20",
        "suppressed": 7,
        "after": {"smallest": 6, "risk": {"maximal": 0.1667, "mean": 0.06}},
        "outcomes": [{"outcome": "left", "everybody": 0}],
        "releases": [],
    },
}


def written(profile, forms=None, **said):
    """The texts of a dataset with some forms, or with all."""
    with override("en"):
        chosen = [t for t in tables(profile) if forms is None or t.form in {"", *forms}]
        return texts(MANIFEST | said, profile, codebook.describe(profile, chosen))


@pytest.fixture(params=PROFILES.values(), ids=PROFILES)
def profile(request):
    return request.param


@pytest.fixture
def described(profile):
    with override("en"):
        return codebook.describe(profile, tables(profile))


def columns(described):
    return [(one.table, about) for one in described for about in one.columns]


# -- codebook ---------------------------------------------------------------------------------


def test_it_says_how_every_key_and_every_value_that_was_not_entered_was_made(profile, described):
    entries = {(entry.form, entry.name): entry for entry in core.entries()}
    for _table, about in columns(described):
        at = (about.column.form, about.column.item)
        entry = entries.get(at)
        ruled = entry and (profile.mapping.get(".".join(at)) or profile.mapping.get(at[1]))
        entered = entry and not entry.item.derived and not isinstance(ruled, As | Merged)
        if about.key or (about.column.item and not entered):
            assert about.made, about.column.name


def test_no_sentence_is_about_a_column_that_does_not_leave():
    shown = {}
    for profile in PROFILES.values():
        with override("en"):
            found = [column for table in tables(profile) for column in table.columns]
        shown[profile.code] = {name for c in found for name in (c.name, c.item)}
    for code, said in made.BY_PROFILE.items():
        assert set(said) <= shown[code]
    everywhere = set().union(*shown.values())
    assert {*made.KEYS, *made.EVERYWHERE} <= everywhere


def test_ranges_are_told_of_values_that_leave_as_entered(described):
    ranges = {
        about.column.name: (about.possible, about.expected) for _, about in columns(described)
    }
    assert ranges["laboratory_calcium_total"] == ((0.5, 6), (1.8, 3.0))
    assert ranges["vcss_pain"] == ((0, 3), None)
    for coarse in ("history_height_cm", "participant_age_at_enrolment", "ulcer_onset_on"):
        assert ranges.get(coarse, (None, None)) == (None, None)


def test_csv_and_json_say_the_same(profile):
    said = written(profile)
    text = said["codebook.csv"]
    assert text.count("\r\n") == text.count("\n")  # RFC 4180
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    nested = json.loads(said["codebook.json"])
    flat = [(table, column) for table in nested["tables"] for column in table["columns"]]
    assert len(rows) == len(flat)
    for row, (table, column) in zip(rows, flat, strict=True):
        assert row["table"] == table["table"]
        for name in ("column", "label", "kind", "unit", "form", "item", "section", "made"):
            assert row[name] == column[name]
        assert row["key"] == ("yes" if column["column"] in table["keys"] else "no")
        # As load.R takes a cell apart.
        pairs = [re.fullmatch("(.[^=]*)=(.*)", one) for one in row["choices"].split("|") if one]
        codes = [(choice["code"], choice["label"]) for choice in column["choices"]]
        assert [pair.groups() for pair in pairs] == codes
        assert len(dict(codes)) == len({label for _code, label in codes})  # words are unique too


def test_a_table_joins_those_whose_keys_it_has(described):
    joins = {one.table.name: set(one.joins) for one in described}
    assert joins["participants"] == set()
    assert joins["ceap"] == {"participants", "visits"}
    assert joins["readings"] == {"participants", "visits", "xray", "grades"}
    assert joins["grades"] == {"participants", "visits", "xray"}
    assert joins["ulcer_assessments"] == {"participants", "visits", "ulcers"}
    assert joins["treatment"] == {"participants"}
    for one in described:
        keys = {key.name for key in one.table.keys}
        assert all(set(on) <= keys for on in one.joins.values())


def test_the_same_tables_give_the_same_texts(profile):
    first = written(profile)
    later = written(
        profile, request=8, cut_off="2027-01-01T00:00:00+00:00", stopped_sharing_since=3
    )
    assert {name for name in first if first[name] != later[name]} == {"README.txt"}


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def of(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def test_the_page_stands_alone_and_can_be_read_aloud(profile, described):
    text = written(profile)["codebook.html"]
    page = Page(text)
    assert page.open == []
    assert page.of("html") == [{"lang": "en"}]
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _attrs in page.tags}
    assert "//" not in re.sub("<!DOCTYPE.*?>", "", text)  # no other host
    ids = [attrs["id"] for _tag, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {one["href"].removeprefix("#") for one in page.of("a")} <= set(ids)
    assert len(page.of("table")) == len(page.of("caption")) == len(described)
    assert all("scope" in one for one in page.of("th"))
    rows = sum(one["scope"] == "row" for one in page.of("th"))
    assert rows == len(columns(described))


# -- README -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "formats", [["csv"], ["parquet"], ["csv", "parquet"], ["stata"], ["csv", "spss", "xpt"]]
)
@pytest.mark.parametrize("forms", [[], ["xray"], ["ulcers", "vcss"], None])
def test_the_readme_is_of_what_is_there(profile, forms, formats):
    said = written(profile, forms, formats=formats)
    text = said["README.txt"]
    assert max(map(len, text.splitlines())) <= 78
    with override("en"):
        everything = tables(profile)
    for table in everything:
        there = forms is None or table.form in {"", *forms}
        assert (f"\n- {table.name}: " in text) == there, table.name
    assert ("Tokoro" in text) == (forms is None or "xray" in forms)
    assert ("Outcome of an ulcer" in text) == (forms is None or "ulcers" in forms)
    for one in FORMATS:
        assert (FORMATS[one].name_of("TABLE") in text) == (one in formats)
    for loader in ("load.py", "load.R", "load.do"):
        assert (loader in said) == (f"- {loader}, " in text)
    assert ("load.do" in said) == ("csv" in formats)


def test_the_readme_says_what_was_asked_and_how_to_cite_it():
    text = " ".join(
        written(PROFILES["limited"], arms=["cvi"], classes=[4, 5], enrolled_from="2024-01-01")[
            "README.txt"
        ].split()
    )
    assert "- arm: chronic venous insufficiency - enrolled on 2024-01-01 or later" in text
    assert "clinical class at baseline, of the worse leg, one of 4, 5" in text
    assert "sites: " not in text
    cited = (
        "Saphena registry. Dataset of request 7, profile Limited, data as of"
        " 2026-11-22T10:00:00+00:00, code 9fae3c1, codebook 0123456789ab."
    )
    assert cited in text
    assert "have stopped since" not in text
    text = written(PROFILES["limited"], sites_chosen=2, stopped_sharing_since=3)["README.txt"]
    assert "\n- sites: 2 of the registry's, without their names\n" in text
    assert "\nOf those who shared at the cut-off 3 have stopped since: left out.\n" in text


# -- load.do: Stata's rules -------------------------------------------------------------------

RESERVED = set(
    "_all _b byte _coef _cons double float if in int long _n _N _pi _pred _rc _skip str strL using"
    " with".split()
)
NAME = re.compile("[A-Za-z_][A-Za-z0-9_]{0,31}")


def test_names_and_labels_fit_stata(described):
    for one in described:
        names = [coding.short(column.name) for column in one.table.columns]
        assert len(set(names)) == len(names), one.table.name
        assert all(NAME.fullmatch(name) for name in names)
        assert not RESERVED & set(names)
        assert NAME.fullmatch(f"read_{one.table.name}")
        assert all(len(coding.label(column, 80)) <= 80 for column in one.table.columns)
    names = list(stata.value_labels(described).values())
    assert len(set(names)) == len(names)
    assert all(NAME.fullmatch(name) for name in names)


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("ceap_clinical", "ceap_clinical"),
        ("examination_ankle_circumference_mm", "exam_ankle_circumference_mm"),
        ("examination_echogenic_zones_proximal_posterior", "exam_echo_zone_prox_posterior"),
    ],
)
def test_long_names_are_shortened_from_their_first_word_on(name, fits):
    assert coding.short(name) == fits


def test_the_do_file_is_well_formed(profile):
    text = written(profile)["load.do"]
    assert "/*" not in text  # would begin a comment, in a comment of one line too
    assert not re.search(r"\s//\s", text)
    programs = re.split(r"^program define ", text, flags=re.M)[1:]
    for program in programs:
        name = program.split(maxsplit=1)[0]
        body = program.split("\nend\n")[0]
        assert f"capture program drop {name}\n" in text
        assert body.count("{") == body.count("}")
        defined = set(re.findall(r"saphena_label (\w+)", body))
        used = set(re.findall(r"label values \w+ (\w+)", body)) - {"`name'"}
        assert used == defined or name.startswith("saphena_"), name
        numbered = set(re.findall(r"^    saphena_(?:number|code) (\w+)", body, flags=re.M))
        assert set(re.findall(r"label values (\w+)", body)) <= numbered or name == "saphena_label"
    for words in re.findall('`"(.*?)"\'', text):
        assert not set("`$\n") & set(re.sub(r"^`\w+'$", "", words)), words
    called = set(re.findall(r"^ +((?:saphena|read)_\w+)", text, flags=re.M))
    assert called <= {program.split(maxsplit=1)[0] for program in programs}
