from tortoise import migrations
from tortoise.migrations import operations as ops
from orjson import loads
from tortoise.fields.data import JSON_DUMPS
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('farm', '0003_farms_brain')]

    initial = False

    operations = [
        ops.CreateModel(
            name='AlertPreference',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField()),
                ('user_id', fields.IntField()),
                ('alert_type', fields.CharField(max_length=32)),
                ('in_app', fields.BooleanField(default=True)),
                ('browser_push', fields.BooleanField(default=False)),
                ('email', fields.BooleanField(default=False)),
                ('email_when', fields.CharField(default='now', max_length=16)),
                ('threshold_value', fields.FloatField(null=True)),
            ],
            options={'table': 'alert_preference', 'app': 'farm', 'unique_together': (('user_id', 'alert_type'),), 'pk_attr': 'id', 'table_description': 'How one person hears of one type of alert. *email_when*: one of `preferences.EmailWhen`.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Delivery',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('uid', fields.CharField(unique=True, max_length=26)),
                ('organization_id', fields.IntField()),
                ('webhook_id', fields.IntField(db_index=True)),
                ('facts', fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ('state', fields.CharField(default='waiting', max_length=16)),
                ('tries', fields.IntField(default=0)),
                ('status_code', fields.IntField(null=True)),
                ('detail', fields.CharField(default='', max_length=200)),
                ('due_at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('done_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'webhook_delivery', 'app': 'farm', 'pk_attr': 'id', 'table_description': 'One message for one webhook. *uid*: the same at every try, for the receiver to know it by.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Drying',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField()),
                ('spool_id', fields.IntField(db_index=True)),
                ('duration_hours', fields.FloatField()),
                ('temp_c', fields.FloatField(null=True)),
                ('method', fields.CharField(default='dryer', max_length=50)),
                ('notes', fields.CharField(null=True, max_length=500)),
                ('user_id', fields.IntField(null=True)),
                ('dried_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'drying', 'app': 'farm', 'pk_attr': 'id', 'table_description': 'A spool was dried, for so many hours at so many °C (None: nobody said).'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='FarmSetting',
            fields=[
                ('name', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ('value', fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ('updated_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'farm_setting', 'app': 'farm', 'pk_attr': 'name', 'table_description': 'A rule of the whole farm by its name. *value*: JSON, in the words of who keeps it.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='HeldAlert',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField()),
                ('user_id', fields.IntField(db_index=True)),
                ('severity', fields.CharField(max_length=16)),
                ('title', fields.CharField(max_length=200)),
                ('message', fields.CharField(null=True, max_length=500)),
                ('at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('due_at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'held_alert', 'app': 'farm', 'pk_attr': 'id', 'table_description': 'An alert that is to be mailed to one person at *due_at*, gone once the mail is written.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Lease',
            fields=[
                ('grant', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=26)),
                ('command_id', fields.CharField(unique=True, max_length=26)),
                ('organization_id', fields.IntField()),
                ('bridge_id', fields.IntField(db_index=True)),
                ('printer_id', fields.IntField(db_index=True)),
                ('job_id', fields.IntField(db_index=True)),
                ('state', fields.CharField(default='out', db_index=True, max_length=16)),
                ('place', fields.IntField()),
                ('clears_itself', fields.BooleanField()),
                ('sha256', fields.CharField(max_length=64)),
                ('size_bytes', fields.BigIntField()),
                ('journal', fields.CharField(max_length=64)),
                ('alone_turn', fields.IntField(null=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('expires_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('recalled_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('cancel_asked_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('ended_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'lease', 'app': 'farm', 'pk_attr': 'grant', 'table_description': 'A waiting job that the room of its printer may start while it is cut off (`api.jobs.leases`).'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Nozzle',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField()),
                ('printer_id', fields.IntField(db_index=True)),
                ('nozzle_type', fields.CharField(null=True, max_length=100)),
                ('nozzle_diameter', fields.FloatField()),
                ('notes', fields.TextField(null=True, unique=False)),
                ('installed_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('installed_print_seconds', fields.FloatField(default=0.0)),
                ('retired_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('retired_print_seconds', fields.FloatField(null=True)),
            ],
            options={'table': 'nozzle', 'app': 'farm', 'pk_attr': 'id', 'table_description': 'A nozzle that is or was in a printer. At most one of a printer is not retired.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='UserGroup',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField(db_index=True)),
                ('key', fields.CharField(max_length=64)),
                ('name', fields.CharField(max_length=100)),
                ('description', fields.CharField(default='', max_length=500)),
                ('permissions', fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ('subgroups', fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ('is_default', fields.BooleanField(default=False)),
            ],
            options={'table': 'user_group', 'app': 'farm', 'unique_together': (('organization_id', 'key'),), 'pk_attr': 'id', 'table_description': 'A group of people, as OctoPrint has them, or another content of the group that `users` is.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Webhook',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField(db_index=True)),
                ('name', fields.CharField(max_length=100)),
                ('url', fields.CharField(max_length=2000)),
                ('webhook_type', fields.CharField(max_length=32)),
                ('alert_types', fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ('is_enabled', fields.BooleanField(default=True)),
                ('sealed', fields.CharField(max_length=500)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('updated_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'webhook', 'app': 'farm', 'pk_attr': 'id', 'table_description': 'Somebody else\'s service. *alert_types*: names, or ["all"]. *sealed*: the secret that its'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='Bridge',
            name='takes_leases',
            field=fields.BooleanField(default=False, db_default=False),
        ),
        ops.AlterModelOptions(
            name='Print',
            options={'table': 'print', 'app': 'farm', 'pk_attr': 'id', 'table_description': "One run of a job's file on one printer, or of a file of the printer's own (*job_id* None)."},
        ),
        ops.AlterField(
            model_name='Print',
            name='job_id',
            field=fields.IntField(null=True, db_index=True),
        ),
        ops.AddField(
            model_name='Print',
            name='file_name',
            field=fields.CharField(default='', db_default='', max_length=300),
        ),
        ops.AddField(
            model_name='PrintFile',
            name='changelog',
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddField(
            model_name='User',
            name='groups',
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
    ]
