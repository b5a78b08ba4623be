"""CDISC's files as who received them reads them: with its schemas and with odmlib alone."""

from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import odmlib
import xmlschema
from odmlib.define_loader import XMLDefineLoader
from odmlib.loader import ODMLoader
from odmlib.odm_loader import XMLODMLoader

SCHEMAS = Path(odmlib.__file__).parent / "schemas"
ODM, DEFINE = "odm/1.3.2/ODM1-3-2.xsd", "define/2.1/define2-1-0.xsd"


@cache
def schema(name):
    return xmlschema.XMLSchema(str(SCHEMAS / name))


def open_odm(path):
    """The file as odmlib reads it, valid and with every reference resolved."""
    return _open(path, ODM, XMLODMLoader("odm_1_3_2"))


def open_define(path):
    return _open(path, DEFINE, XMLDefineLoader("define_2_1", "http://www.cdisc.org/ns/def/v2.1"))


def _open(path, name, reader):
    schema(name).validate(path)
    require_references(path)
    loader = ODMLoader(reader)
    loader.open_odm_document(str(path))
    return loader.root()


def require_references(path):
    """Each OID is given once, each that is named is given, and each that is given is named.

    Nothing in Define-XML names its study and its tables: the files of Dataset-JSON do.
    """
    given, named = [], set()
    for element in ElementTree.parse(path).iter():
        for attribute, value in element.attrib.items():
            name = attribute.rpartition("}")[2]
            if name in ("OID", "ID"):
                given.append(value)
            elif name == "ArchiveLocationID" or (name.endswith("OID") and name != "FileOID"):
                named.add(value)
    assert len(given) == len(set(given))
    if path.name == "define.xml":
        named |= {value for value in given if value.startswith(("ST.", "MDV.", "IG."))}
    assert sorted(named) == sorted(given)


def label(about):
    (text,) = about.Description.TranslatedText
    return text._content


def code_lists(version):
    """OID → code → label."""
    return {
        one.OID: {
            item.CodedValue: item.Decode.TranslatedText[0]._content for item in one.CodeListItem
        }
        for one in version.CodeList
    }


def metadata(version):
    """Table → column → what is said of it: label, codes, place among the keys, how it is made."""
    items = {item.OID: item for item in version.ItemDef}
    lists, types = code_lists(version), {one.OID: one.DataType for one in version.CodeList}
    made = {method.OID: label(method) for method in version.MethodDef}
    said = {}
    for group in version.ItemGroupDef:
        said[group.Name] = columns = {}
        for ref in group.ItemRef:
            item = items[ref.ItemOID]
            assert ref.ItemOID == f"IT.{group.Name}.{item.Name}"
            if item.CodeListRef:
                assert item.DataType == types[item.CodeListRef.CodeListOID]
            columns[item.Name] = {
                "item": item,
                "label": label(item),
                "codes": lists[item.CodeListRef.CodeListOID] if item.CodeListRef else {},
                "key": ref.KeySequence,
                "made": made.get(ref.MethodOID, ""),
            }
    return said


def clinical(odm):
    """Table → rows: column → (value as written, reason). Rows stand where their keys say."""
    version = odm.Study[0].MetaDataVersion[0]
    names = {item.OID: item.Name for item in version.ItemDef}
    asked = {one.OID: {ref.FormOID for ref in one.FormRef} for one in version.StudyEventDef}
    parts = {one.OID: {ref.ItemGroupOID for ref in one.ItemGroupRef} for one in version.FormDef}
    held = {one.OID: {ref.ItemOID for ref in one.ItemRef} for one in version.ItemGroupDef}
    repeats = {one.OID: one.Repeating for one in version.StudyEventDef + version.ItemGroupDef}
    tables = {group.Name: [] for group in version.ItemGroupDef}
    reasons = code_lists(version)
    (data,) = odm.ClinicalData
    people = [subject.SubjectKey for subject in data.SubjectData]
    assert people == sorted(set(people))
    for subject in data.SubjectData:
        for event in subject.StudyEventData:
            assert (repeats[event.StudyEventOID] == "Yes") == bool(event.StudyEventRepeatKey)
            places = set()
            for form in event.FormData:
                assert form.FormOID in asked[event.StudyEventOID]
                for group in form.ItemGroupData:
                    assert group.ItemGroupOID in parts[form.FormOID]
                    assert {item.ItemOID for item in group.ItemData} <= held[group.ItemGroupOID]
                    place = group.ItemGroupOID, group.ItemGroupRepeatKey
                    assert (repeats[place[0]] == "Yes") == bool(place[1])
                    assert place not in places
                    places.add(place)
                    row = {names[item.ItemOID]: _value(item, reasons) for item in group.ItemData}
                    assert len(row) == len(group.ItemData)
                    assert row["participant"] == (subject.SubjectKey, "")
                    repeat = f"-{event.StudyEventRepeatKey}" if event.StudyEventRepeatKey else ""
                    visit = event.StudyEventOID.removeprefix("SE.") + repeat
                    assert row.get("visit", ("participant", "")) == (visit, "")
                    tables[group.ItemGroupOID.removeprefix("IG.")].append(row)
    return tables


def _value(item, reasons):
    if item.IsNull != "Yes":
        assert not item.Annotation
        return item.Value, ""
    assert item.Value is None
    (flag,) = item.Annotation[0].Flag
    assert flag.FlagValue._content in reasons[flag.FlagValue.CodeListOID]
    return None, flag.FlagValue._content


def same_rows(found, rows, keys, reasons):
    """Assert that rows of ODM say what those of Parquet do; reasons are by key and column."""
    of_key = {tuple(row.get(key, (None, ""))[0] for key in keys): row for row in found}
    assert len(of_key) == len(found) == len(rows)
    for row in rows:
        key = tuple(None if row[name] is None else str(row[name]) for name in keys)
        there = of_key[key]
        assert there.keys() <= row.keys()
        for name, value in row.items():
            written, reason = there.get(name, (None, ""))
            assert reason == (reasons.get((*key, name), "") if value is None else "")
            if isinstance(value, int | float):
                assert type(value)(written) == value
            else:
                assert written == value
