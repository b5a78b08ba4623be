"""The nightly check of the data acts in its own name."""

from django.db import migrations


def create(apps, schema_editor):
    User = apps.get_model("access", "User")
    User.objects.using(schema_editor.connection.alias).create(
        email="recheck@system.invalid", name="Nightly check", is_system=True, is_active=False,
        password="!",
    )


class Migration(migrations.Migration):
    dependencies = [("access", "0002_system_actors")]
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
