"""Products, orders, and the jobs that make what was ordered."""

from tortoise import fields
from tortoise.models import Model


class Product(Model):
    """Something that is sold, made of printed models."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    name = fields.CharField(max_length=200)
    sku = fields.CharField(max_length=100, null=True)
    price = fields.FloatField(null=True)
    description = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "product"


class ProductComponent(Model):
    """So many prints of a model go into one product."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    product_id = fields.IntField(db_index=True)
    model_id = fields.IntField()
    quantity_needed = fields.IntField(default=1)
    notes = fields.CharField(max_length=500, null=True)

    class Meta:
        table = "product_component"


class Consumable(Model):
    """Something beside filament that products need: screws, boxes, magnets.

    *current_stock* and *min_stock* in its *unit*; *cost_per_unit* in the currency of the farm.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    name = fields.CharField(max_length=200)
    sku = fields.CharField(max_length=100, null=True)
    unit = fields.CharField(max_length=32, default="piece")
    cost_per_unit = fields.FloatField(default=0.0)
    current_stock = fields.FloatField(default=0.0)
    min_stock = fields.FloatField(default=0.0)
    vendor = fields.CharField(max_length=200, null=True)
    notes = fields.TextField(null=True)
    status = fields.CharField(max_length=32, default="active")
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "consumable"

    @property
    def is_low(self) -> bool:
        """Whether it is in use and less is there than is to be kept."""
        return self.status == "active" and self.current_stock < self.min_stock


class ProductConsumable(Model):
    """So much of a consumable goes into one product."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    product_id = fields.IntField(db_index=True)
    consumable_id = fields.IntField(db_index=True)
    quantity_per_product = fields.FloatField(default=1.0)
    notes = fields.CharField(max_length=500, null=True)

    class Meta:
        table = "product_consumable"


class ConsumableMove(Model):
    """What was put to a stock (*quantity* > 0) or taken from it; *missing*: what was not there.

    *order_id*: taken for this order; *job_id*: with the first of the jobs that were queued then.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    consumable_id = fields.IntField(db_index=True)
    quantity = fields.FloatField()
    missing = fields.FloatField(default=0.0)
    order_id = fields.IntField(null=True)
    job_id = fields.IntField(null=True, db_index=True)
    user_id = fields.IntField(null=True)
    notes = fields.CharField(max_length=500, null=True)
    at = fields.DatetimeField()

    class Meta:
        table = "consumable_move"


class Order(Model):
    """Somebody ordered something.

    *status*: see `forms.OrderStatus`. Money in the currency of the farm.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    order_number = fields.CharField(max_length=100, null=True)
    platform = fields.CharField(max_length=100, null=True)
    customer_name = fields.CharField(max_length=200, null=True)
    customer_email = fields.CharField(max_length=254, null=True)
    status = fields.CharField(max_length=16, default="pending")
    order_date = fields.DatetimeField(null=True)
    shipped_date = fields.DatetimeField(null=True)
    tracking_number = fields.CharField(max_length=100, null=True)
    notes = fields.TextField(null=True)
    revenue = fields.FloatField(null=True)
    platform_fees = fields.FloatField(null=True)
    payment_fees = fields.FloatField(null=True)
    shipping_charged = fields.FloatField(null=True)
    shipping_cost = fields.FloatField(null=True)
    labor_minutes = fields.IntField(default=0)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "customer_order"


class OrderItem(Model):
    """So many of a product. *supplied*: for how many of them consumables were taken from stock."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    order_id = fields.IntField(db_index=True)
    product_id = fields.IntField(db_index=True)
    quantity = fields.IntField(default=1)
    unit_price = fields.FloatField(null=True)
    supplied = fields.IntField(default=0, db_default=0)
    created_at = fields.DatetimeField()

    class Meta:
        table = "order_item"


class OrderJob(Model):
    """A job that makes a component of an item: *makes* of its models when all of it is printed."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    order_id = fields.IntField(db_index=True)
    item_id = fields.IntField(db_index=True)
    component_id = fields.IntField()
    job_id = fields.IntField(unique=True)
    makes = fields.IntField()

    class Meta:
        table = "order_job"
