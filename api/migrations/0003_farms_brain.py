from tortoise import migrations
from tortoise.migrations import operations as ops
from orjson import loads
from tortoise.fields.data import JSON_DUMPS
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('farm', '0002_two_faces')]

    initial = False

    operations = [
        ops.CreateModel(
            name='BlobSurvey',
            fields=[
                ('blob_id', fields.IntField(primary_key=True, unique=True, db_index=True)),
                ('version', fields.IntField()),
                ('document', fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
            ],
            options={'table': 'blob_survey', 'app': 'farm', 'pk_attr': 'blob_id', 'table_description': 'What a file asks of a printer (`schemas.gcode.survey`), of the blob of this number.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Circuit',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField(db_index=True)),
                ('name', fields.CharField(max_length=100)),
                ('max_w', fields.FloatField()),
                ('heat_up_s', fields.FloatField(default=300.0)),
                ('loads', fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('updated_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'scheduler_circuit', 'app': 'farm', 'pk_attr': 'id', 'table_description': 'A power line that several printers share. Watts and seconds.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Decision',
            fields=[
                ('grant', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=26)),
                ('organization_id', fields.IntField()),
                ('job_id', fields.IntField(db_index=True)),
                ('printer_id', fields.IntField()),
                ('match_score', fields.IntField()),
                ('facts', fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ('decided_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'scheduler_decision', 'app': 'farm', 'pk_attr': 'grant', 'table_description': 'Why a job was given to a printer, written with the start itself (*grant*).'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Grant',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField(db_index=True)),
                ('printer_id', fields.IntField()),
                ('user_id', fields.IntField(db_index=True)),
                ('permissions', fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
            ],
            options={'table': 'octoprint_grant', 'app': 'farm', 'unique_together': (('printer_id', 'user_id'),), 'pk_attr': 'id', 'table_description': "What a person may do at one printer beyond their role, as OctoPrint's permissions."},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Letter',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('kind', fields.CharField(max_length=32)),
                ('address', fields.CharField(max_length=254)),
                ('facts', fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ('tries', fields.IntField(default=0)),
                ('due_at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'letter', 'app': 'farm', 'pk_attr': 'id', 'table_description': 'A mail that is to be sent, gone once it is. It holds no secret.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='MaintenanceNotice',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField(db_index=True)),
                ('task_id', fields.IntField()),
                ('printer_id', fields.IntField()),
                ('told_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'maintenance_notice', 'app': 'farm', 'unique_together': (('task_id', 'printer_id'),), 'pk_attr': 'id', 'table_description': 'That people were told that a task is overdue on a printer, a newer log makes it stale.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Preset',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField(db_index=True)),
                ('name', fields.CharField(max_length=100)),
                ('model_id', fields.IntField(null=True)),
                ('item_name', fields.CharField(null=True, max_length=200)),
                ('quantity', fields.IntField(default=1)),
                ('priority', fields.IntField(default=3)),
                ('duration_hours', fields.FloatField(null=True)),
                ('colors_required', fields.CharField(null=True, max_length=200)),
                ('filament_type', fields.CharField(null=True, max_length=32)),
                ('required_tags', fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ('notes', fields.TextField(null=True, unique=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'preset', 'app': 'farm', 'unique_together': (('organization_id', 'name'),), 'pk_attr': 'id', 'table_description': 'A job to be made again and again, under a name that an organization has once.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='PrinterProfile',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField(db_index=True)),
                ('name', fields.CharField(max_length=100)),
                ('description', fields.CharField(null=True, max_length=1000)),
                ('profile', fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ('dialect', fields.CharField(default='auto', max_length=32)),
                ('plate_policy', fields.CharField(null=True, max_length=16)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('updated_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'printer_profile', 'app': 'farm', 'unique_together': (('organization_id', 'name'),), 'pk_attr': 'id', 'table_description': 'What printers of one kind are and may do, shared by those that follow it.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Quota',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField(db_index=True)),
                ('subject', fields.CharField(unique=True, max_length=32)),
                ('grams', fields.FloatField(null=True)),
                ('hours', fields.FloatField(null=True)),
                ('jobs', fields.IntField(null=True)),
                ('storage_bytes', fields.BigIntField(null=True)),
                ('period', fields.CharField(default='monthly', max_length=16)),
            ],
            options={'table': 'quota', 'app': 'farm', 'pk_attr': 'id', 'table_description': 'How much a person (``user:5``) or an organization (``organization:1``) may use in a period.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='QuotaUse',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField()),
                ('subject', fields.CharField(max_length=32)),
                ('day', fields.DateField()),
                ('jobs', fields.IntField(default=0)),
                ('grams', fields.FloatField(default=0.0)),
                ('hours', fields.FloatField(default=0.0)),
            ],
            options={'table': 'quota_use', 'app': 'farm', 'unique_together': (('subject', 'day'),), 'pk_attr': 'id', 'table_description': 'What somebody used on one day (UTC), so that any period is the sum of its days.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='RecoveryCode',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('user_id', fields.IntField(db_index=True)),
                ('sha256', fields.CharField(max_length=64)),
                ('used_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'recovery_code', 'app': 'farm', 'pk_attr': 'id', 'table_description': 'A code that stands for the second factor, once. Only its SHA-256 is kept.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Run',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField(db_index=True)),
                ('user_id', fields.IntField(null=True)),
                ('run_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('total_jobs', fields.IntField()),
                ('scheduled_count', fields.IntField()),
                ('skipped_count', fields.IntField()),
                ('setup_blocks', fields.IntField()),
                ('avg_match_score', fields.FloatField(null=True)),
                ('avg_job_duration', fields.FloatField(null=True)),
                ('notes', fields.TextField(null=True, unique=False)),
                ('jobs', fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
            ],
            options={'table': 'scheduler_run', 'app': 'farm', 'pk_attr': 'id', 'table_description': 'A plan that somebody asked for: what it counted, and the place of each job in *jobs*.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='SecondFactor',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('user_id', fields.IntField(unique=True)),
                ('sealed', fields.CharField(max_length=500)),
                ('confirmed_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('last_step', fields.BigIntField(default=0, db_default=0)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'second_factor', 'app': 'farm', 'pk_attr': 'id', 'table_description': 'What a person proves themselves with beside the password.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Timetable',
            fields=[
                ('organization_id', fields.IntField(primary_key=True, unique=True, db_index=True)),
                ('zone', fields.CharField(default='UTC', max_length=64)),
                ('working', fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ('blackout_start', fields.CharField(null=True, max_length=5)),
                ('blackout_end', fields.CharField(null=True, max_length=5)),
                ('updated_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'scheduler_timetable', 'app': 'farm', 'pk_attr': 'organization_id', 'table_description': 'When the queue of an organization may start prints, always without a row.'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='Attempt',
            name='preflight',
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.AddField(
            model_name='Bridge',
            name='former_boots',
            field=fields.CharField(default='', db_default='', max_length=500),
        ),
        ops.AddField(
            model_name='Bridge',
            name='quarantined_boot',
            field=fields.CharField(default='', db_default='', max_length=64),
        ),
        ops.AddField(
            model_name='Job',
            name='estimated_cost',
            field=fields.FloatField(null=True),
        ),
        ops.AddField(
            model_name='Job',
            name='suggested_price',
            field=fields.FloatField(null=True),
        ),
        ops.AddIndex(
            model_name='Job',
            index=Index(fields=['organization_id', 'deleted_at', 'priority', 'position', 'id']),
        ),
        ops.AddIndex(
            model_name='Job',
            index=Index(fields=['organization_id', 'deleted_at', 'state', 'priority', 'position']),
        ),
        ops.AddIndex(
            model_name='Job',
            index=Index(fields=['organization_id', 'deleted_at', 'printer_id', 'priority', 'position']),
        ),
        ops.AddIndex(
            model_name='Job',
            index=Index(fields=['organization_id', 'deleted_at', 'pool_id', 'priority', 'position']),
        ),
        ops.AddField(
            model_name='Printer',
            name='profile_id',
            field=fields.IntField(null=True, db_index=True),
        ),
        ops.AddField(
            model_name='Printer',
            name='profile_waits',
            field=fields.BooleanField(default=False, db_default=False),
        ),
    ]
