"""An ulcer with a lasting label, and its assessments at visits."""

from .assessment import UlcerAssessment as UlcerAssessment
from .ulcer import Ulcer as Ulcer
