from tortoise import migrations
from tortoise.migrations import operations as ops
from orjson import loads
from tortoise.fields.data import JSON_DUMPS
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('farm', '0001_initial')]

    initial = False

    operations = [
        ops.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField(db_index=True)),
                ('at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ('user_id', fields.IntField(null=True)),
                ('username', fields.CharField(default='', max_length=100)),
                ('action', fields.CharField(max_length=64)),
                ('entity_type', fields.CharField(default='', max_length=32)),
                ('entity_id', fields.CharField(default='', max_length=64)),
                ('details', fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ('remote_address', fields.CharField(default='', max_length=64)),
            ],
            options={'table': 'audit_entry', 'app': 'farm', 'pk_attr': 'id', 'table_description': 'Who did what and from where, written with the change itself, never altered.'},
            bases=['Model'],
        ),
    ]
