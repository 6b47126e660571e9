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
    ]
