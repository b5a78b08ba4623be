"""Screening, consent, the participant, and the identity vault."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery
from django.utils.translation import gettext

from registry.access.models import Site, SiteRecord, SiteRecords, User
from registry.access.roles import Permission
from registry.core import dictionary as d
from registry.core.dictionary import declared, kept

from .rules import REASONS, STOPS_COLLECTION, STOPS_CONTACT, read_study_number

ARMS = [
    ("cvi", "chronic venous insufficiency"),
    ("control", "control"),
    ("other_calcinosis", "calcification from another cause"),
]


class Root(SiteRecord):
    """A record that names its site itself."""

    site_from = ""
    site = kept(models.ForeignKey(Site, models.PROTECT, related_name="+"), "group", "Site")

    class Meta:
        abstract = True


@declared("screening", "Screening")
class Screening(Root):
    """One person screened; a failure gets no study number."""

    screened_on = d.date("Screened on", required=True, absence=False)
    adult = d.yes_no("Adult", required=True, absence=False)
    arm = d.choice("Arm", ARMS, required=True, absence=False)
    cvi_diagnosed = d.yes_no(
        "CVI diagnosed: clinical signs and duplex agree",
        when={"arm": "cvi"},
        required=True,
        absence=False,
    )
    venous_status = d.choice(
        "Venous disease",
        ["present", "absent", ("not_examined", "not examined")],
        required=True,
        absence=False,
    )
    control_reason = d.choice(
        "Why the control was X-rayed",
        [("knee_osteoarthrosis", "knee osteoarthrosis"), "trauma", "other"],
        when={"arm": "control"},
        privacy="group",
        absence=False,
    )
    matched_to = d.text(
        "Study number of the matched case",
        when={"arm": "control"},
        privacy="group",
        one_line=True,
        absence=False,
    )
    able_to_consent = d.yes_no("Able to consent", required=True, absence=False)
    pregnant = d.yes_no(
        "Pregnant", required=True, privacy="withhold", absence=False, help="Yes excludes."
    )
    reasons = kept(models.JSONField(default=list), "withhold", "Reasons for not being eligible")
    by = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")
    at = kept(models.DateTimeField(auto_now_add=True), "withhold")

    class Meta:
        ordering = ["-screened_on", "-id"]

    @property
    def eligible(self) -> bool:
        return not self.reasons

    @property
    def reasons_in_words(self) -> list[str]:
        return [gettext(REASONS[code]) for code in self.reasons]


class ConsentVersion(Root):
    """A version of the consent form in force at a site."""

    code = kept(models.CharField(max_length=20), "withhold")
    in_force_from = kept(models.DateField(), "withhold")
    in_force_until = kept(models.DateField(null=True, blank=True), "withhold")
    mandatory = kept(models.BooleanField(default=False), "withhold")

    class Meta:
        ordering = ["in_force_from"]
        constraints = [
            models.UniqueConstraint(fields=["site", "code"], name="consent_version_once_a_site")
        ]

    def __str__(self) -> str:
        return self.code


@declared("consent", "Consent")
class Consent(SiteRecord):
    """A consent signed by the person screened."""

    site_from = "screening"

    screening = kept(
        models.ForeignKey(Screening, models.PROTECT, related_name="consents"), "withhold"
    )
    version = kept(models.ForeignKey(ConsentVersion, models.PROTECT), "withhold", "Version")
    signed_on = d.date("Signed on", required=True, privacy="withhold", absence=False)
    allows_images = d.yes_no("Films may be kept", required=True, privacy="withhold", absence=False)
    allows_sharing = d.yes_no(
        "De-identified data may leave the site", required=True, privacy="withhold", absence=False
    )
    allows_contact = d.yes_no("May be contacted", required=True, privacy="withhold", absence=False)
    withdrawn_on = d.date("Withdrawn on", privacy="withhold", absence=False)
    withdrawal_scope = d.choice(
        "What is withdrawn",
        [
            ("stop_contact", "no more contact"),
            ("stop_collection", "no more data are collected"),
            ("stop_sharing", "no more data leave the site"),
            ("erase_identity", "the identity is erased"),
        ],
        privacy="withhold",
        absence=False,
    )
    by = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")

    class Meta:
        ordering = ["signed_on", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(withdrawn_on__isnull=True, withdrawal_scope__isnull=True)
                | Q(withdrawn_on__isnull=False, withdrawal_scope__isnull=False),
                name="consent_withdrawal_whole",
            )
        ]
        indexes = [
            models.Index(
                fields=["site", "screening"],
                condition=Q(withdrawn_on__isnull=False),
                name="consent_withdrawn",
            )
        ]


class Participants(SiteRecords):
    """Participants by number, and with what their consents say today."""

    def numbered(self, text: str, sites: Iterable[int]) -> Participants:
        """Those whom a typed study number can mean at ``sites`` (ids).

        Raises :class:`registry.core.numbers.UnreadableError`.
        """
        prefixes = Site.objects.filter(pk__in=sites).values_list("prefix", flat=True)
        return self.filter(study_number__in=read_study_number(text).among(prefixes))

    def with_consent(self) -> Participants:
        """Annotate ``contact_stopped`` and ``collection_stopped``: what consent says today.

        No withdrawal lies in the future of its site, so each one recorded holds, whatever day
        it is where this is asked.
        """
        consents = Consent.objects.filter(screening=OuterRef("screening"))
        withdrawn = consents.filter(withdrawn_on__isnull=False)
        latest = consents.order_by("-signed_on", "-id").values("allows_contact")[:1]
        return self.annotate(latest_contact=Subquery(latest)).annotate(
            contact_stopped=Q(Exists(withdrawn.filter(withdrawal_scope__in=sorted(STOPS_CONTACT))))
            | Q(latest_contact=False),
            collection_stopped=Exists(
                withdrawn.filter(withdrawal_scope__in=sorted(STOPS_COLLECTION))
            ),
        )


@declared("participant", "Participant")
class Participant(Root):
    """A person enrolled, known outside the vault by study number only."""

    screening = kept(
        models.OneToOneField(Screening, models.PROTECT, related_name="participant"), "withhold"
    )
    study_number = kept(models.CharField(max_length=20, unique=True), "withhold", "Study number")
    arm = d.choice("Arm", ARMS, required=True, absence=False)
    sex = d.choice(
        "Sex", ["female", "male", "other"], required=True, privacy="group", absence=False
    )
    age_at_enrolment = kept(
        models.PositiveSmallIntegerField(validators=[MinValueValidator(18)]),
        "group",
        "Age at enrolment",
    )
    enrolled_on = d.date("Enrolled on", required=True, privacy="group", absence=False)
    onset_year = d.year(
        "Year of the first varices, lasting oedema, skin change or DVT",
        help="Whichever came first.",
        absence=False,
    )
    onset_month = d.number(
        "Month of onset, if known", possible=(1, 12), privacy="date", absence=False
    )
    recruited_in = d.multi(
        "Recruited in",
        [
            "dermatology",
            ("vascular_surgery", "vascular surgery"),
            "orthopaedics",
            ("wound_clinic", "wound clinic"),
            "other",
        ],
        required=True,
        privacy="group",
        absence=False,
    )
    # A control in whom venous disease of C3 or more appeared follows the full plan from this day.
    full_plan_from = kept(
        models.DateField(null=True, blank=True), "withhold", "Follows the full plan from"
    )
    by = kept(models.ForeignKey(User, models.PROTECT, related_name="+"), "withhold")

    objects = Participants.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ["study_number"]
        indexes = [models.Index(fields=["site", "study_number"], name="participant_by_site")]

    def __str__(self) -> str:
        return self.study_number

    @property
    def earliest_birth_year(self) -> int:
        """The earliest year of birth that the age at enrolment allows; the vault stays shut."""
        return self.enrolled_on.year - self.age_at_enrolment - 1


@declared("identity", "Identity")
class Identity(SiteRecord):
    """The identity vault: one row a person, each encrypted under its own data key.

    The blind indexes find a row by an exact name and birth date, hospital number or phone.
    Erasing an identity clears the wrapped key and the indexes; neither enters history.
    """

    scope_setting = "identity_sites"
    history_needs = Permission.SEE_IDENTITY
    unrecorded = ("wrapped_key", "name_and_birth", "hospital_number_index", "phone_index")

    participant = kept(
        models.OneToOneField(Participant, models.PROTECT, related_name="identity"), "withhold"
    )
    wrapped_key = kept(models.BinaryField(null=True), "withhold")
    family_name = kept(models.BinaryField(null=True), "withhold", "Family name")
    given_name = kept(models.BinaryField(null=True), "withhold", "Given name")
    birth_date = kept(models.BinaryField(null=True), "withhold", "Birth date")
    hospital_number = kept(models.BinaryField(null=True), "withhold", "Hospital number")
    phone = kept(models.BinaryField(null=True), "withhold", "Phone")
    email = kept(models.BinaryField(null=True), "withhold", "E-mail")
    address = kept(models.BinaryField(null=True), "withhold", "Address")
    name_and_birth = kept(models.BinaryField(null=True, db_index=True), "withhold")
    hospital_number_index = kept(models.BinaryField(null=True, db_index=True), "withhold")
    phone_index = kept(models.BinaryField(null=True, db_index=True), "withhold")
    erased_at = kept(models.DateTimeField(null=True), "withhold")
