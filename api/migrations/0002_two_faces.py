from tortoise import migrations
from tortoise.migrations import operations as ops
from orjson import loads
from tortoise.fields.data import JSON_DUMPS
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("farm", "0001_initial")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Alert",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("organization_id", fields.IntField()),
                ("user_id", fields.IntField(db_index=True)),
                ("alert_type", fields.CharField(max_length=32)),
                ("severity", fields.CharField(max_length=16)),
                ("title", fields.CharField(max_length=200)),
                ("message", fields.CharField(null=True, max_length=500)),
                ("is_read", fields.BooleanField(default=False)),
                ("is_dismissed", fields.BooleanField(default=False)),
                ("printer_id", fields.IntField(null=True)),
                ("job_id", fields.IntField(null=True)),
                ("spool_id", fields.IntField(null=True)),
                ("details", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                (
                    "created_at",
                    fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "alert",
                "app": "farm",
                "pk_attr": "id",
                "table_description": "Something that one person should know. What is dismissed is not listed any more.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AppKeyRequest",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("organization_id", fields.IntField(db_index=True)),
                ("sha256", fields.CharField(unique=True, max_length=64)),
                ("user_token", fields.CharField(unique=True, max_length=64)),
                ("app", fields.CharField(max_length=100)),
                ("username", fields.CharField(default="", max_length=100)),
                ("printer_id", fields.IntField(null=True)),
                ("remote_address", fields.CharField(default="", db_index=True, max_length=64)),
                ("state", fields.CharField(default="pending", max_length=16)),
                ("granted_by", fields.IntField(null=True)),
                (
                    "created_at",
                    fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False),
                ),
                ("polled_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "app_key_request",
                "app": "farm",
                "pk_attr": "id",
                "table_description": "An app that asks for a key (OctoPrint contract, 7). It lives for seconds.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("organization_id", fields.IntField(db_index=True)),
                ("at", fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                ("user_id", fields.IntField(null=True)),
                ("username", fields.CharField(default="", max_length=100)),
                ("action", fields.CharField(max_length=64)),
                ("entity_type", fields.CharField(default="", max_length=32)),
                ("entity_id", fields.CharField(default="", max_length=64)),
                ("details", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("remote_address", fields.CharField(default="", max_length=64)),
            ],
            options={
                "table": "audit_entry",
                "app": "farm",
                "pk_attr": "id",
                "table_description": "Who did what and from where, written with the change itself, never altered.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Claim",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("organization_id", fields.IntField()),
                ("user_id", fields.IntField()),
                ("key_sha256", fields.CharField(max_length=64)),
                ("request_sha256", fields.CharField(max_length=64)),
                ("authz_sha256", fields.CharField(max_length=64)),
                ("state", fields.CharField(max_length=16)),
                ("run", fields.CharField(max_length=26)),
                ("status", fields.IntField(null=True)),
                ("media", fields.CharField(default="", max_length=100)),
                ("body", fields.TextField(default="", unique=False)),
                ("claimed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "expires_at",
                    fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={
                "table": "idempotency_claim",
                "app": "farm",
                "unique_together": (("user_id", "key_sha256"),),
                "pk_attr": "id",
                "table_description": "One key of one user. Only the SHA-256 of the key is kept.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Filament",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("organization_id", fields.IntField(db_index=True)),
                ("brand", fields.CharField(max_length=100)),
                ("name", fields.CharField(max_length=100)),
                ("material", fields.CharField(default="PLA", max_length=32)),
                ("color_hex", fields.CharField(null=True, max_length=9)),
                ("cost_per_gram", fields.FloatField(null=True)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "filament",
                "app": "farm",
                "pk_attr": "id",
                "table_description": "A kind of filament, ``lib_<id>`` in v1.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="GatewaySocket",
            fields=[
                (
                    "connection_id",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=128),
                ),
                ("kind", fields.CharField(max_length=8)),
                ("organization_id", fields.IntField(db_index=True)),
                ("bridge_id", fields.IntField(null=True, db_index=True)),
                ("greeted", fields.BooleanField(default=False)),
                ("epoch", fields.IntField(default=0)),
                ("desired_told", fields.IntField(default=0)),
                ("live_ms", fields.BigIntField(default=-1)),
                ("stuck_at", fields.BigIntField(default=-1)),
                ("foreign_reports", fields.IntField(default=0)),
                (
                    "pushing_until",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("push_again", fields.BooleanField(default=False)),
                ("credential_id", fields.IntField(default=0)),
                ("cursor", fields.BigIntField(default=0)),
                ("opened_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "gateway_socket",
                "app": "farm",
                "pk_attr": "connection_id",
                "table_description": "One socket. *kind* is link (a bridge) or feed (a dashboard).",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="MaintenanceLog",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("organization_id", fields.IntField(db_index=True)),
                ("printer_id", fields.IntField(db_index=True)),
                ("task_id", fields.IntField(null=True)),
                ("task_name", fields.CharField(max_length=100)),
                ("performed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("performed_by", fields.CharField(null=True, max_length=100)),
                ("notes", fields.TextField(null=True, unique=False)),
                ("cost", fields.FloatField(default=0.0)),
                ("downtime_minutes", fields.IntField(default=0)),
                ("print_hours_at_service", fields.FloatField()),
            ],
            options={
                "table": "maintenance_log",
                "app": "farm",
                "pk_attr": "id",
                "table_description": "A task that was done on a printer that had printed *print_hours_at_service* by then.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="MaintenanceTask",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("organization_id", fields.IntField(db_index=True)),
                ("name", fields.CharField(max_length=100)),
                ("description", fields.TextField(null=True, unique=False)),
                ("printer_model_filter", fields.CharField(null=True, max_length=100)),
                ("interval_print_hours", fields.FloatField(null=True)),
                ("interval_days", fields.IntField(null=True)),
                ("estimated_cost", fields.FloatField(default=0.0)),
                ("estimated_downtime_min", fields.IntField(default=30)),
                ("is_active", fields.BooleanField(default=True)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("deleted_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "maintenance_task",
                "app": "farm",
                "pk_attr": "id",
                "table_description": "Something to be done every so many print hours, or days, on the printers that it is for.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Order",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("organization_id", fields.IntField(db_index=True)),
                ("order_number", fields.CharField(null=True, max_length=100)),
                ("platform", fields.CharField(null=True, max_length=100)),
                ("customer_name", fields.CharField(null=True, max_length=200)),
                ("customer_email", fields.CharField(null=True, max_length=254)),
                ("status", fields.CharField(default="pending", max_length=16)),
                ("order_date", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "shipped_date",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("tracking_number", fields.CharField(null=True, max_length=100)),
                ("notes", fields.TextField(null=True, unique=False)),
                ("revenue", fields.FloatField(null=True)),
                ("platform_fees", fields.FloatField(null=True)),
                ("payment_fees", fields.FloatField(null=True)),
                ("shipping_charged", fields.FloatField(null=True)),
                ("shipping_cost", fields.FloatField(null=True)),
                ("labor_minutes", fields.IntField(default=0)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("deleted_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "customer_order",
                "app": "farm",
                "pk_attr": "id",
                "table_description": "Somebody ordered something.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="OrderItem",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("organization_id", fields.IntField()),
                ("order_id", fields.IntField(db_index=True)),
                ("product_id", fields.IntField(db_index=True)),
                ("quantity", fields.IntField(default=1)),
                ("unit_price", fields.FloatField(null=True)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "order_item",
                "app": "farm",
                "pk_attr": "id",
                "table_description": "So many of a product.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="OrderJob",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("organization_id", fields.IntField()),
                ("order_id", fields.IntField(db_index=True)),
                ("item_id", fields.IntField(db_index=True)),
                ("component_id", fields.IntField()),
                ("job_id", fields.IntField(unique=True)),
                ("makes", fields.IntField()),
            ],
            options={
                "table": "order_job",
                "app": "farm",
                "pk_attr": "id",
                "table_description": "A job that makes a component of an item: *makes* of its models when all of it is printed.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Outbox",
            fields=[
                ("number", fields.BigIntField(primary_key=True, unique=True, db_index=True)),
                ("origin", fields.CharField(max_length=26)),
                ("names", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "outbox",
                "app": "farm",
                "pk_attr": "number",
                "table_description": "Names to be woken, for a minute, for processes that the bus did not reach.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Pool",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("organization_id", fields.IntField(db_index=True)),
                ("name", fields.CharField(max_length=100)),
                ("slug", fields.CharField(unique=True, max_length=110)),
                ("printer_ids", fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ("tags", fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ("settings", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("deleted_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "pool",
                "app": "farm",
                "pk_attr": "id",
                "table_description": "Printers behind one name. Those of *printer_ids*, and those that have all of *tags*.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Preferences",
            fields=[
                (
                    "tree",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=32),
                ),
                ("organization_id", fields.IntField(db_index=True)),
                ("settings", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("profiles", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("current", fields.CharField(default="_default", max_length=64)),
                ("offsets_c", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
            ],
            options={
                "table": "octoprint_preferences",
                "app": "farm",
                "pk_attr": "tree",
                "table_description": "Settings of one printer or pool that only OctoPrint's clients know, by its *tree*.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Product",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("organization_id", fields.IntField(db_index=True)),
                ("name", fields.CharField(max_length=200)),
                ("sku", fields.CharField(null=True, max_length=100)),
                ("price", fields.FloatField(null=True)),
                ("description", fields.TextField(null=True, unique=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("deleted_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "product",
                "app": "farm",
                "pk_attr": "id",
                "table_description": "Something that is sold, made of printed models.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ProductComponent",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("organization_id", fields.IntField()),
                ("product_id", fields.IntField(db_index=True)),
                ("model_id", fields.IntField()),
                ("quantity_needed", fields.IntField(default=1)),
                ("notes", fields.CharField(null=True, max_length=500)),
            ],
            options={
                "table": "product_component",
                "app": "farm",
                "pk_attr": "id",
                "table_description": "So many prints of a model go into one product.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Replica",
            fields=[
                (
                    "id",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=26),
                ),
                ("beat", fields.BigIntField()),
            ],
            options={
                "table": "replica",
                "app": "farm",
                "pk_attr": "id",
                "table_description": "An API process, while it runs. *beat* rises every two seconds.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Slug",
            fields=[
                (
                    "slug",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=110),
                ),
            ],
            options={
                "table": "slug",
                "app": "farm",
                "pk_attr": "slug",
                "table_description": "A name in an address. Every one that a printer or a pool was ever given, so none comes twice.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Spool",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("organization_id", fields.IntField(db_index=True)),
                ("filament_id", fields.IntField(db_index=True)),
                ("qr_code", fields.CharField(unique=True, max_length=16)),
                ("initial_weight_g", fields.FloatField()),
                ("remaining_weight_g", fields.FloatField()),
                ("spool_weight_g", fields.FloatField()),
                ("price", fields.FloatField(null=True)),
                (
                    "purchase_date",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("vendor", fields.CharField(null=True, max_length=100)),
                ("lot_number", fields.CharField(null=True, max_length=100)),
                ("status", fields.CharField(default="active", max_length=16)),
                ("location_printer_id", fields.IntField(null=True, db_index=True)),
                ("location_slot", fields.IntField(null=True)),
                ("storage_location", fields.CharField(null=True, max_length=200)),
                ("notes", fields.TextField(null=True, unique=False)),
                ("low_threshold_g", fields.FloatField(default=50.0)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "spool",
                "app": "farm",
                "pk_attr": "id",
                "table_description": "A spool. Weights in grams, *spool_weight_g* is that of the empty one.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SpoolUse",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("organization_id", fields.IntField()),
                ("spool_id", fields.IntField(db_index=True)),
                ("weight_used_g", fields.FloatField()),
                ("used_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("job_id", fields.IntField(null=True)),
                ("user_id", fields.IntField(null=True)),
                ("notes", fields.CharField(null=True, max_length=500)),
                ("source", fields.CharField(null=True, max_length=40)),
            ],
            options={
                "table": "spool_use",
                "app": "farm",
                "unique_together": (("spool_id", "source"),),
                "pk_attr": "id",
                "table_description": "Filament that was taken from a spool.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TreeName",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("organization_id", fields.IntField(db_index=True)),
                ("tree", fields.CharField(max_length=32)),
                ("path", fields.CharField(max_length=500)),
                ("display", fields.CharField(max_length=300)),
                ("blob_id", fields.IntField(null=True)),
                ("is_folder", fields.BooleanField(default=False)),
                ("user_id", fields.IntField(null=True)),
                ("userdata", fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
                ("history", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("uploaded_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "tree_name",
                "app": "farm",
                "unique_together": (("tree", "path"),),
                "pk_attr": "id",
                "table_description": "A name in the tree of a printer or a pool (OctoPrint's `local`). Deleting it keeps the blob.",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Attempt",
            name="quality",
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.AddField(
            model_name="Blob",
            name="analysing_until",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Blob",
            name="analysis",
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.AddField(
            model_name="Bridge",
            name="held_by",
            field=fields.CharField(default="", db_default="", max_length=26),
        ),
        ops.AddField(
            model_name="Bridge",
            name="shown_online",
            field=fields.BooleanField(default=False, db_default=False),
        ),
        ops.AddField(
            model_name="Credential",
            name="confirmed_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Credential",
            name="parent_id",
            field=fields.IntField(null=True),
        ),
        ops.AddField(
            model_name="Job",
            name="deleted_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Job",
            name="fail_notes",
            field=fields.CharField(null=True, max_length=2000),
        ),
        ops.AddField(
            model_name="Job",
            name="fail_reason",
            field=fields.CharField(null=True, max_length=32),
        ),
        ops.AddField(
            model_name="Job",
            name="pool_id",
            field=fields.IntField(null=True, db_index=True),
        ),
        ops.AddField(
            model_name="Job",
            name="scheduled_start",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Organization",
            name="deleted_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Organization",
            name="description",
            field=fields.CharField(default="", db_default="", max_length=500),
        ),
        ops.AddField(
            model_name="Organization",
            name="owner_id",
            field=fields.IntField(null=True),
        ),
        ops.AddField(
            model_name="Organization",
            name="settings",
            field=fields.JSONField(
                default=dict, db_default="{}", encoder=JSON_DUMPS, decoder=loads
            ),
        ),
        ops.AddField(
            model_name="Organization",
            name="updated_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Print",
            name="ended_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Print",
            name="printed_s",
            field=fields.FloatField(default=0.0, db_default=0.0),
        ),
        ops.AddField(
            model_name="Print",
            name="started_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Print",
            name="state",
            field=fields.CharField(default="granted", db_default="granted", max_length=16),
        ),
        ops.AddField(
            model_name="Printer",
            name="card",
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.AddField(
            model_name="Printer",
            name="details",
            field=fields.JSONField(
                default=dict, db_default="{}", encoder=JSON_DUMPS, decoder=loads
            ),
        ),
        ops.AddField(
            model_name="Printer",
            name="serial",
            field=fields.JSONField(
                default=dict, db_default="{}", encoder=JSON_DUMPS, decoder=loads
            ),
        ),
        ops.RunSQL(
            "INSERT INTO tree_name (organization_id, tree, path, display, blob_id, is_folder, user_id, userdata, history, uploaded_at) SELECT organization_id, 'printer:' || printer_id, path, display, blob_id, is_folder, user_id, userdata, history, uploaded_at FROM file_name ORDER BY id"
        ),
        ops.DeleteModel(name="FileName"),
        ops.RunSQL(
            "UPDATE print SET state = (SELECT a.state FROM attempt a WHERE a.print_id = print.id ORDER BY a.number DESC LIMIT 1), started_at = (SELECT a.started_at FROM attempt a WHERE a.print_id = print.id ORDER BY a.number DESC LIMIT 1), ended_at = (SELECT a.ended_at FROM attempt a WHERE a.print_id = print.id ORDER BY a.number DESC LIMIT 1) WHERE EXISTS (SELECT 1 FROM attempt a WHERE a.print_id = print.id)"
        ),
    ]
