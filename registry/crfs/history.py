"""History: once, at baseline; amended with a reason."""

from django.db.models import DecimalField, F

from registry.core.dictionary import choice, derived, number, yes_no
from registry.visits.crf import VisitCrf, crf


@crf("History")
class History(VisitCrf):
    height_cm = number(
        "Height", unit="cm", possible=(100, 230), expected=(140, 200), places=1, privacy="group"
    )
    weight_kg = number(
        "Weight", unit="kg", possible=(25, 350), expected=(40, 180), places=1, privacy="group"
    )
    bmi = derived(
        "Body mass index",
        F("weight_kg") * 10_000 / (F("height_cm") * F("height_cm")),
        DecimalField(max_digits=12, decimal_places=1, null=True),
        unit="kg/m²",
        places=1,
        privacy="group",
    )
    smoking = choice("Smoking", ["never", "former", "current"])
    hypertension = yes_no("Hypertension", required=True)
    diabetes_type_1 = yes_no("Type 1 diabetes", required=True)
    diabetes_type_2 = yes_no("Type 2 diabetes", required=True)
    rheumatoid_arthritis = yes_no("Rheumatoid arthritis", required=True)
    systemic_sclerosis = yes_no("Systemic sclerosis", required=True, privacy="group")
    lupus = yes_no("Lupus erythematosus", required=True, privacy="group")
    dermatomyositis = yes_no("Dermatomyositis", required=True, privacy="group")
    other_connective_tissue = yes_no(
        "Other connective tissue disease", required=True, help="Includes Ehlers-Danlos syndrome."
    )
    panniculitis = yes_no("Panniculitis", required=True, privacy="group")
    chronic_kidney_disease = yes_no("Chronic kidney disease", required=True)
    dialysis = yes_no("Dialysis", required=True, privacy="group")
    kidney_transplant = yes_no("Kidney transplant", required=True, privacy="group")
    hyperparathyroidism = yes_no("Hyperparathyroidism", required=True)
    sarcoidosis = yes_no("Sarcoidosis", required=True, privacy="group")
    malignancy = yes_no("Malignancy", required=True)
    bone_disease = yes_no(
        "Bone disease", required=True, privacy="group", help="Paget’s disease or a bone tumour."
    )
    recurrent_erysipelas = yes_no("Recurrent erysipelas", required=True)
    peripheral_arterial_disease = yes_no("Peripheral arterial disease", required=True)
    heart_failure = yes_no("Heart failure", required=True)
