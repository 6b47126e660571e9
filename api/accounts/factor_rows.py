"""The rows of second factors, for every part of the room that asks for one or ends one."""

from api.accounts.models import Organization, RecoveryCode, SecondFactor, User

#: The setting of an organization whose people log in with a second factor only.
REQUIRED = "require_mfa"


async def confirmed_factor(user_id: int) -> SecondFactor | None:
    """The second factor that this person is asked for; None: nothing but the password."""
    return await SecondFactor.filter(user_id=user_id, confirmed_at__not_isnull=True).first()


async def is_required(organization_id: int) -> bool:
    """Whether the people of an organization log in with a second factor only."""
    farm = await Organization.get_or_none(id=organization_id)
    return farm is not None and bool(farm.settings.get(REQUIRED))


async def must_enrol(user: User) -> bool:
    """Whether *user* has no second factor where one is required."""
    return await is_required(user.organization_id) and await confirmed_factor(user.id) is None


async def without_factor(organization_id: int) -> list[int]:
    """The ids of the people of an organization who have no second factor."""
    people = [user.id for user in await User.filter(organization_id=organization_id).only("id")]
    enrolled = await SecondFactor.filter(user_id__in=people, confirmed_at__not_isnull=True)
    have = {row.user_id for row in enrolled}
    return [each for each in people if each not in have]


async def forget_second_factor(user_id: int) -> bool:
    """Within a change: nothing of it is left. False when there was none that is asked for."""
    was = await confirmed_factor(user_id) is not None
    await SecondFactor.filter(user_id=user_id).delete()
    await RecoveryCode.filter(user_id=user_id).delete()
    return was
