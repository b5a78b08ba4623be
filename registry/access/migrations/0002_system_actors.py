"""System actors: history always has a name, also when no person acted."""

from django.db import migrations

ACTORS = {"migration": "Migration", "recall": "Recall", "import": "Import", "datasets": "Datasets"}


def create(apps, schema_editor):
    User = apps.get_model("access", "User")
    for name, shown in ACTORS.items():
        User.objects.using(schema_editor.connection.alias).create(
            email=f"{name}@system.invalid", name=shown, is_system=True, is_active=False, password="!"
        )


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial")]
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
