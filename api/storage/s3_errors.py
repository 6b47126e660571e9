"""What an object store refuses, in words that name the setting; boto3's errors, recognised late."""

from typing import Any

from api.storage.s3_place import Place

_SETTING = "GANTRY_STORAGE_URL"
_WHY = {
    "NoSuchBucket": "there is no bucket {bucket}; make it, or name another one in {setting}",
    "404": "there is no bucket {bucket}; make it, or name another one in {setting}",
    "AccessDenied": "these credentials may not use {place}; the role needs s3:ListBucket, "
    "s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload there",
    "403": "these credentials may not use {place}",
    "InvalidAccessKeyId": "the store does not know these credentials (AWS_ACCESS_KEY_ID)",
    "SignatureDoesNotMatch": "the secret of these credentials is wrong (AWS_SECRET_ACCESS_KEY)",
    "NoCredentialsError": "there are no credentials; set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or give this machine a role",
    "PermanentRedirect": "bucket {bucket} is in another region: say {setting}=…?region={region}",
    "301": "bucket {bucket} is in another region: say {setting}=…?region={region}",
    "AuthorizationHeaderMalformed": "bucket {bucket} is in another region: say "
    "{setting}=…?region={region}",
    "IllegalLocationConstraintException": "bucket {bucket} is in another region: say "
    "{setting}=…?region={region}",
}
_MISSING = frozenset({"NoSuchKey", "NoSuchUpload", "404"})


def told() -> tuple[type[Exception], ...]:
    """What boto3 raises when the store or the way to it is in trouble."""
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError, OSError


class StoreTrouble(OSError):
    """The store cannot be used; the text names the setting and what to do."""

    def __init__(self, place: Place, error: Exception) -> None:
        answer: dict[str, Any] = getattr(error, "response", None) or {}
        self.code = str(answer.get("Error", {}).get("Code", ""))
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        region = answer.get("Error", {}).get("Region") or headers.get("x-amz-bucket-region", "…")
        why = _WHY.get(self.code or type(error).__name__, "{error}").format(
            bucket=place.bucket, place=place, setting=_SETTING, region=region, error=error
        )
        super().__init__(f"the file storage {place} ({_SETTING}) cannot be used: {why}")

    @property
    def is_missing(self) -> bool:
        """Nothing is under that key."""
        return self.code in _MISSING

    @property
    def is_denied(self) -> bool:
        """The credentials are known, and lack a right."""
        return self.code == "AccessDenied"

    @property
    def is_past_the_end(self) -> bool:
        """The range begins behind the last byte."""
        return self.code == "InvalidRange"
