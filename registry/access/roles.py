"""Who may do what: the whole policy on one screen.

The database stores only who holds which role at which site (:class:`access.models.Membership`).
"""

from enum import StrEnum, auto

from django.utils.translation import gettext_lazy as _


class Permission(StrEnum):
    VIEW = auto()  # read clinical records, without identities
    ENTER = auto()  # screen, enrol, fill forms, upload films
    SEE_IDENTITY = auto()  # open the identity vault of one's site
    SIGN = auto()  # sign complete visits, lock signed ones
    READ_FILMS = auto()  # grade films, blinded
    RAISE_QUERY = auto()  # open data queries by hand
    VERIFY = auto()  # compare items with their source
    MANAGE_DATA = auto()  # accept findings, lock and unlock, learn of possible duplicates
    TUNE_RECALL = auto()  # which recalls a site gets, when, and who gets them
    COPY_SITE = auto()  # take away a site's own data, identities included
    REQUEST_DATASET = auto()  # describe a project, download what was approved
    APPROVE_DATASET = auto()  # approve or return a request
    MANAGE_USERS = auto()  # users, sites and roles; no clinical data


class Role(StrEnum):
    COORDINATOR = auto()
    INVESTIGATOR = auto()
    VIEWER = auto()
    READER = auto()
    MONITOR = auto()
    DATA_MANAGER = auto()
    STEWARD = auto()
    RESEARCHER = auto()
    ADMINISTRATOR = auto()


P, R = Permission, Role

POLICY: dict[Role, frozenset[Permission]] = {
    # at a site
    R.COORDINATOR: frozenset({P.VIEW, P.ENTER, P.SEE_IDENTITY}),
    R.INVESTIGATOR: frozenset(
        {P.VIEW, P.ENTER, P.SEE_IDENTITY, P.SIGN, P.TUNE_RECALL, P.COPY_SITE}
    ),
    R.VIEWER: frozenset({P.VIEW}),
    # central
    R.READER: frozenset({P.READ_FILMS}),
    R.MONITOR: frozenset({P.VIEW, P.RAISE_QUERY, P.VERIFY}),
    R.DATA_MANAGER: frozenset({P.VIEW, P.RAISE_QUERY, P.MANAGE_DATA, P.TUNE_RECALL}),
    R.STEWARD: frozenset({P.APPROVE_DATASET}),
    R.RESEARCHER: frozenset({P.REQUEST_DATASET}),
    R.ADMINISTRATOR: frozenset({P.MANAGE_USERS}),
}

SITE_ROLES = frozenset({R.COORDINATOR, R.INVESTIGATOR, R.VIEWER})

ROLE_NAMES = {
    R.COORDINATOR: _("Study coordinator"),
    R.INVESTIGATOR: _("Investigator"),
    R.VIEWER: _("Viewer"),
    R.READER: _("Film reader"),
    R.MONITOR: _("Monitor"),
    R.DATA_MANAGER: _("Data manager"),
    R.STEWARD: _("Data steward"),
    R.RESEARCHER: _("Researcher"),
    R.ADMINISTRATOR: _("Administrator"),
}
