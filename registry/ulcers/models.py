"""An ulcer with a lasting label, and its assessments at visits."""

from .assessment import UlcerAssessment as UlcerAssessment
from .past_ulcer import PastUlcer as PastUlcer
from .ulcer import Ulcer as Ulcer
