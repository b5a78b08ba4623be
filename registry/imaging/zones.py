"""The twelve zones of a lower leg on X-ray: three thirds by four aspects."""

THIRDS = ("proximal", "middle", "distal")
ASPECTS = ("medial", "lateral", "anterior", "posterior")
ZONES = tuple(f"zone_{third}_{aspect}" for third in THIRDS for aspect in ASPECTS)


def zone_label(zone: str) -> str:
    """``zone_middle_lateral`` → Middle third, lateral."""
    third, aspect = zone.removeprefix("zone_").split("_")
    return f"{third.capitalize()} third, {aspect}"


# What a view shows: the other zones are not assessable, which is not absent (domain.md C1).
ASPECTS_OF_VIEW = {
    "ap": ("medial", "lateral"),
    "pa": ("medial", "lateral"),
    "lateral": ("anterior", "posterior"),
    "oblique": (),
    "not_stated": (),
}


def zones_seen(views: list[str], thirds: list[str]) -> frozenset[str]:
    """The zones that a study's ``views`` and ``thirds`` show.

    An oblique or unstated view names no aspect, so with only such views every aspect of the
    covered thirds may be judged.
    """
    aspects = {aspect for view in views for aspect in ASPECTS_OF_VIEW[view]} or set(ASPECTS)
    return frozenset(f"zone_{third}_{aspect}" for third in thirds for aspect in aspects)
