"""Translated pages: complete in every language they claim, and catalogues that hold together."""

import gettext
import re
from html.parser import HTMLParser
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import trans_real

from registry.access import actions
from registry.access.scope import user_scope

from . import test_urls

LOCALE = Path(settings.BASE_DIR) / "locale"
OTHERS = [code for code, _name in settings.LANGUAGES if code != "en"]
READERS = ("ana", "hiro")  # who works on the translated pages
PLACEHOLDERS = re.compile(r"%\(\w+\)[sd]|%%|\{\w+\}")


def catalogue(code):
    return LOCALE / translation.to_locale(code) / "LC_MESSAGES" / "django.po"


# -- catalogues --------------------------------------------------------------------------------


@pytest.mark.parametrize("code", OTHERS)
def test_what_is_installed_is_what_was_written(code):
    written = polib.pofile(str(catalogue(code)))
    assert not written.fuzzy_entries()
    assert not written.obsolete_entries()
    installed = polib.mofile(str(catalogue(code).with_suffix(".mo")))
    assert {(e.msgctxt, e.msgid, e.msgstr, *e.msgstr_plural.values()) for e in installed} == {
        (e.msgctxt, e.msgid, e.msgstr, *e.msgstr_plural.values())
        for e in written.translated_entries()
    }, "manage.py compilemessages"


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_keeps_its_blanks(code):
    """Each ``%(name)s`` of the text stands in its translation, and no other."""
    wrong = []
    for entry in polib.pofile(str(catalogue(code))).translated_entries():
        wanted = set(PLACEHOLDERS.findall(entry.msgid + entry.msgid_plural)) - {"%%"}
        for text in [entry.msgstr] if entry.msgstr else entry.msgstr_plural.values():
            found = set(PLACEHOLDERS.findall(text)) - {"%%"}
            # One form of a plural may leave the number out ("one visit").
            if found - wanted or (wanted - found and not entry.msgid_plural):
                wrong.append((entry.msgid, text))
    assert wrong == []


@pytest.mark.parametrize("code", OTHERS)
def test_fixed_words_are_those_of_the_rules(code):
    """The fixed words of ``ux.md``, appendix 3."""
    fixed = {
        "Not started": {"ja": "未入力", "pt-br": "Não iniciado"},
        "In progress": {"ja": "入力中", "pt-br": "Em andamento"},
        "Complete": {"ja": "完了", "pt-br": "Completo"},
        "Needs an answer": {"ja": "要回答", "pt-br": "Precisa de resposta"},
        "Signed": {"ja": "署名済み", "pt-br": "Assinado"},
        "not done": {"ja": "未実施", "pt-br": "não realizado"},
        "not applicable": {"ja": "該当なし", "pt-br": "não se aplica"},
        "unknown": {"ja": "不明", "pt-br": "desconhecido"},
        "refused": {"ja": "拒否", "pt-br": "recusado"},
        "It is right": {"ja": "この値で正しい", "pt-br": "Está correto"},
    }
    with translation.override(code):
        assert {text: translation.gettext(text) for text in fixed} == {
            text: words[code] for text, words in fixed.items()
        }


# -- pages -------------------------------------------------------------------------------------


@pytest.fixture
def missed(monkeypatch):
    """The texts that a language was asked for and did not have."""
    found = set()

    def recording(method, plural):
        def ask(self, *arguments):
            text = arguments[0]
            if not text.strip(" 0123456789") or trans_real.get_language() == "en":
                return method(self, *arguments)
            try:  # Django's own catalogue may count its plurals otherwise
                self._catalog.plural(text, arguments[2]) if plural else self._catalog[text]
            except KeyError:
                found.add(text)
            return method(self, *arguments)

        return ask

    kind = trans_real.DjangoTranslation
    monkeypatch.setattr(kind, "gettext", recording(gettext.GNUTranslations.gettext, False))
    monkeypatch.setattr(kind, "ngettext", recording(kind.ngettext, True))
    return found


def pages(client, cast, code):
    """(route, text) of each page that its reader gets in the language ``code``."""
    found = test_urls.addresses(cast)
    for name in READERS:
        reader = getattr(cast, name)
        with user_scope(reader):
            actions.choose_language(by=reader, language=code)
        for route, address in found.items():
            with transaction.atomic():
                client.force_login(reader)
                answer = client.get(address)
                transaction.set_rollback(True)
            if answer.status_code == 200 and answer["Content-Type"].startswith("text/html"):
                yield route, answer.content.decode()


@pytest.mark.slow
@pytest.mark.parametrize("code", OTHERS)
def test_a_page_that_claims_a_language_speaks_it(client, cast, missed, code):
    seen, untranslated = 0, {}
    for route, page in pages(client, cast, code):
        if f'<html lang="{code}"' in page:
            seen += 1
            for text in missed:
                untranslated.setdefault(text, route)
        missed.clear()
    assert seen > 40
    assert not untranslated, "\n".join(f"{r}: {t}" for t, r in untranslated.items())


VOID = {"input", "img", "meta", "link", "br", "hr"}


class Words(HTMLParser):
    """The words of a page that a reader sees or hears, without what is data."""

    SPOKEN = ("aria-label", "title", "placeholder", "alt")

    def __init__(self):
        super().__init__()
        self.found, self.silent = [], []

    def handle_starttag(self, tag, attrs):
        about = dict(attrs)
        foreign = tag != "html" and about.get("lang", "ja") != "ja"  # said in another language
        foreign = foreign or about.get("translate") == "no"  # names, codes, units
        if tag not in VOID and (self.silent or foreign or tag in ("script", "style")):
            self.silent.append(tag)
        if not self.silent:
            self.found += [about[name] for name in self.SPOKEN if about.get(name)]

    def handle_endtag(self, tag):
        if self.silent and tag == self.silent[-1]:
            self.silent.pop()

    def handle_data(self, data):
        if not self.silent and data.strip():
            self.found.append(data.strip())


MARK = "⟦{}⟧"
LETTERS = re.compile(r"[A-Za-zÀ-ÿ]{2,}")


@pytest.fixture
def marked(monkeypatch):
    """Every text that goes through a catalogue stands in brackets, half as long again."""
    kind = trans_real.DjangoTranslation

    def mark(method):
        def ask(self, *arguments):
            said = method(self, *arguments)
            return said if trans_real.get_language() == "en" or not said else MARK.format(said)

        return ask

    monkeypatch.setattr(kind, "gettext", mark(gettext.GNUTranslations.gettext))
    monkeypatch.setattr(kind, "ngettext", mark(kind.ngettext))


# Names, numbers, codes and units, which are the same in every language.
DATA = re.compile(r"Saphena|English|Português \(Brasil\)|[A-Z]{3}-\d{4}-\w|\S+@\S+|\b[A-Z]{2,4}\b")


@pytest.mark.slow
def test_every_word_of_a_translated_page_goes_through_a_catalogue(client, cast, marked):
    """A word outside the brackets is one that no translator ever saw."""
    people = {word for name in vars(cast).values() for word in str(name).split()}
    bare = {}
    for route, page in pages(client, cast, "ja"):
        if '<html lang="ja"' not in page:
            continue
        words = Words()
        words.feed(page)
        for text in words.found:
            outside = DATA.sub("", _outside(text))
            left = [word for word in LETTERS.findall(outside) if word not in people]
            if left:
                bare.setdefault(text, route)
    assert not bare, "\n".join(f"{route}: {text}" for text, route in bare.items())


def _outside(text):
    """``text`` without what stands in brackets, also nested ones."""
    while (shorter := re.sub(r"⟦[^⟦⟧]*⟧", "", text)) != text:
        text = shorter
    return text
