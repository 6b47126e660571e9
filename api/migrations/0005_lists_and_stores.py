from tortoise import migrations
from tortoise.migrations import operations as ops
from orjson import loads
from tortoise.fields.data import JSON_DUMPS
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('farm', '0004_sites_and_fittings')]

    initial = False

    operations = [
        ops.CreateModel(
            name='ArchiveNote',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField()),
                ('print_id', fields.IntField(unique=True)),
                ('notes', fields.TextField(null=True, unique=False)),
                ('project_id', fields.IntField(null=True, db_index=True)),
                ('deleted_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('updated_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'archive_note', 'app': 'farm', 'indexes': [Index(fields=['organization_id', 'deleted_at'])], 'pk_attr': 'id', 'table_description': 'What was said of a print that is over. A print without a row: nothing yet.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='ArchiveTag',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField()),
                ('print_id', fields.IntField()),
                ('name', fields.CharField(max_length=50)),
            ],
            options={'table': 'archive_tag', 'app': 'farm', 'unique_together': (('print_id', 'name'),), 'indexes': [Index(fields=['organization_id', 'name'])], 'pk_attr': 'id', 'table_description': 'A tag of a print that is over, shown in the order of their ids.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Consumable',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField(db_index=True)),
                ('name', fields.CharField(max_length=200)),
                ('sku', fields.CharField(null=True, max_length=100)),
                ('unit', fields.CharField(default='piece', max_length=32)),
                ('cost_per_unit', fields.FloatField(default=0.0)),
                ('current_stock', fields.FloatField(default=0.0)),
                ('min_stock', fields.FloatField(default=0.0)),
                ('vendor', fields.CharField(null=True, max_length=200)),
                ('notes', fields.TextField(null=True, unique=False)),
                ('status', fields.CharField(default='active', max_length=32)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('updated_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('deleted_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'consumable', 'app': 'farm', 'pk_attr': 'id', 'table_description': 'Something beside filament that products need: screws, boxes, magnets.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='ConsumableMove',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField()),
                ('consumable_id', fields.IntField(db_index=True)),
                ('quantity', fields.FloatField()),
                ('missing', fields.FloatField(default=0.0)),
                ('order_id', fields.IntField(null=True)),
                ('job_id', fields.IntField(null=True, db_index=True)),
                ('user_id', fields.IntField(null=True)),
                ('notes', fields.CharField(null=True, max_length=500)),
                ('at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'consumable_move', 'app': 'farm', 'pk_attr': 'id', 'table_description': 'What was put to a stock (*quantity* > 0) or taken from it; *missing*: what was not there.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='ProductConsumable',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField()),
                ('product_id', fields.IntField(db_index=True)),
                ('consumable_id', fields.IntField(db_index=True)),
                ('quantity_per_product', fields.FloatField(default=1.0)),
                ('notes', fields.CharField(null=True, max_length=500)),
            ],
            options={'table': 'product_consumable', 'app': 'farm', 'pk_attr': 'id', 'table_description': 'So much of a consumable goes into one product.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Project',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField()),
                ('name', fields.CharField(max_length=200)),
                ('description', fields.TextField(null=True, unique=False)),
                ('color', fields.CharField(max_length=9)),
                ('status', fields.CharField(default='active', max_length=16)),
                ('expected_parts', fields.IntField(null=True)),
                ('created_by', fields.IntField(null=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('updated_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'project', 'app': 'farm', 'indexes': [Index(fields=['organization_id', 'updated_at', 'id'])], 'pk_attr': 'id', 'table_description': 'Prints that belong together; which ones, the archive says. *status*: `forms.ProjectStatus`.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='PushDevice',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField()),
                ('user_id', fields.IntField(db_index=True)),
                ('device_id', fields.CharField(max_length=128)),
                ('kind', fields.CharField(max_length=8)),
                ('name', fields.CharField(default='', max_length=100)),
                ('endpoint', fields.CharField(default='', max_length=2000)),
                ('endpoint_digest', fields.CharField(default='', db_index=True, max_length=64)),
                ('p256dh', fields.CharField(default='', max_length=100)),
                ('sealed', fields.CharField(default='', max_length=500)),
                ('token', fields.CharField(default='', max_length=400)),
                ('platform', fields.CharField(default='', max_length=16)),
                ('live_activities', fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ('is_enabled', fields.BooleanField(default=True)),
                ('alert_types', fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('updated_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'push_device', 'app': 'farm', 'unique_together': (('user_id', 'device_id'),), 'pk_attr': 'id', 'table_description': "A person's browser (*kind* web) or phone (apns), under a name that the device chose."},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='PushMessage',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField()),
                ('device_row_id', fields.IntField(db_index=True)),
                ('facts', fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ('tries', fields.IntField(default=0)),
                ('due_at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'push_message', 'app': 'farm', 'pk_attr': 'id', 'table_description': 'What is to be told to one browser, gone once it is. *facts*: of the alert.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='ReportSchedule',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('organization_id', fields.IntField(db_index=True)),
                ('name', fields.CharField(max_length=100)),
                ('report_type', fields.CharField(max_length=32)),
                ('frequency', fields.CharField(max_length=16)),
                ('recipients', fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ('filters', fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ('is_active', fields.BooleanField(default=True)),
                ('next_at', fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ('last_run_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('created_by', fields.IntField(null=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('updated_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'report_schedule', 'app': 'farm', 'pk_attr': 'id', 'table_description': 'A report that people are mailed again and again.'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='Bridge',
            name='keeps_hours',
            field=fields.BooleanField(default=False, db_default=False),
        ),
        ops.AddField(
            model_name='Bridge',
            name='reaches_plugs',
            field=fields.BooleanField(default=False, db_default=False),
        ),
        ops.AddField(
            model_name='Lease',
            name='hours',
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.AlterModelOptions(
            name='OrderItem',
            options={'table': 'order_item', 'app': 'farm', 'pk_attr': 'id', 'table_description': 'So many of a product. *supplied*: for how many of them consumables were taken from stock.'},
        ),
        ops.AddField(
            model_name='OrderItem',
            name='supplied',
            field=fields.IntField(default=0, db_default=0),
        ),
        ops.AddIndex(
            model_name='Print',
            index=Index(fields=['organization_id', 'ended_at', 'id']),
        ),
        ops.AlterField(
            model_name='SpoolUse',
            name='source',
            field=fields.CharField(null=True, db_index=True, max_length=40),
        ),
    ]
