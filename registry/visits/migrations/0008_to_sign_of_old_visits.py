"""A void signature is taken off its forms, and visits that wait for a signature say so."""

from django.db import migrations

TAKE_OFF = """
UPDATE visits_formentry SET signature_id = NULL
WHERE signature_id IN (SELECT signature_id FROM audit_voiding)
"""
TO_SIGN = """
UPDATE visits_visit SET to_sign = true WHERE id IN (
    SELECT visit_id FROM visits_formentry WHERE visit_id IS NOT NULL GROUP BY visit_id
    HAVING bool_and(state IN ('complete', 'verified') AND draft IS NULL)
        AND bool_or(signature_id IS NULL AND locked_at IS NULL))
"""


class Migration(migrations.Migration):
    dependencies = [("visits", "0007_to_sign"), ("audit", "0002_signatures")]
    operations = [
        migrations.RunSQL(TAKE_OFF, migrations.RunSQL.noop),
        migrations.RunSQL(TO_SIGN, migrations.RunSQL.noop),
    ]
