"""The rows of second factors, for every part of the room that asks for one or ends one."""

from api.accounts.models import RecoveryCode, SecondFactor


async def confirmed_factor(user_id: int) -> SecondFactor | None:
    """The second factor that this person is asked for; None: nothing but the password."""
    return await SecondFactor.filter(user_id=user_id, confirmed_at__not_isnull=True).first()


async def forget_second_factor(user_id: int) -> bool:
    """Within a change: nothing of it is left. False when there was none that is asked for."""
    was = await confirmed_factor(user_id) is not None
    await SecondFactor.filter(user_id=user_id).delete()
    await RecoveryCode.filter(user_id=user_id).delete()
    return was
