"""The documented codes of /protocols/s3, shared by its five resources."""

from emulator.errors import Exists, InUse, OntapError


class NoService(OntapError):
    code = "92405773"

    def __init__(self, svm: str) -> None:
        super().__init__(
            f'Object store server is not present for SVM "{svm}". Create an object store server and retry the '
            "operation."
        )


class ServiceExists(Exists):
    def __init__(self, svm: str) -> None:
        super().__init__(f'Object store server already exists for SVM "{svm}".', "svm.name")


class ServiceNameInvalid(OntapError):
    code = "92405789"

    def __init__(self, name: str) -> None:
        super().__init__(
            f'The specified object server name "{name}" contains invalid characters or is not a fully qualified domain '
            'name. Valid characters for an object store server name are 0-9, A-Z, a-z, ".", and "-".',
            "name",
        )


class ServiceNameLength(OntapError):
    code = "92405790"

    def __init__(self) -> None:
        super().__init__("Object store server names must have between 3 and 253 characters.", "name")


class NoSuchUnixUser(OntapError):
    code = "92405884"

    def __init__(self, name: str, svm: str) -> None:
        super().__init__(
            f'The default UNIX user "{name}" does not exist on SVM "{svm}". Create it with /name-services/unix-users.',
            "default_unix_user",
        )


class ServiceNotDeleted(OntapError):
    code = "92405864"

    def __init__(self, svm: str, reason: str) -> None:
        super().__init__(f'Failed to delete the object store server of SVM "{svm}". Reason: {reason}')


class PartNotCreated(OntapError):
    """A user, bucket or access policy that was asked for together with something else, which itself was made."""

    code = "92405863"


class UserNameInvalid(OntapError):
    code = "92405787"

    def __init__(self, name: str) -> None:
        super().__init__(
            f'The specified user name "{name}" contains invalid characters. Valid characters for a user name are 0-9, '
            'A-Z, a-z, "_", "+", "=", ",", ".", "@", and "-".',
            "name",
        )


class UserNameLength(OntapError):
    code = "92405788"

    def __init__(self) -> None:
        super().__init__("User names must have between 1 and 64 characters.", "name")


class UserExists(Exists):
    def __init__(self, name: str, svm: str) -> None:
        super().__init__(f'User "{name}" already exists for SVM "{svm}".', "name")


class KeysNotCreated(OntapError):
    code = "92405791"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Failed to create access-key and secret-key. {reason}")


class GroupUsersEmpty(OntapError):
    code = "92405896"

    def __init__(self) -> None:
        super().__init__("Users list cannot be empty.", "users")


class GroupNameLength(OntapError):
    code = "92405930"

    def __init__(self) -> None:
        super().__init__("Group name is not valid. Group names must have between 1 and 128 characters.", "name")


class GroupNameInvalid(OntapError):
    code = "92405931"

    def __init__(self, name: str) -> None:
        super().__init__(
            f'Group name "{name}" contains invalid characters. Valid characters for a group name are 0-9, A-Z, a-z, '
            '"_", "+", "=", ",", ".", "@", and "-".',
            "name",
        )


class GroupUserMissing(OntapError):
    code = "92405934"

    def __init__(self, names: list[str], svm: str) -> None:
        super().__init__(
            f'User name "{", ".join(names)}" specified in the user list do not exist for SVM "{svm}". Use the '
            '"object-store-server user create" command to create a user.',
            "users",
        )


class GroupPolicyMissing(OntapError):
    code = "92405937"

    def __init__(self, names: list[str], svm: str) -> None:
        super().__init__(
            f'Policy name "{", ".join(names)}" specified in the policy list do not exist for SVM "{svm}".', "policies"
        )


class GroupExists(OntapError):
    status, code = 409, "92405942"

    def __init__(self, name: str, svm: str) -> None:
        super().__init__(f'Group name "{name}" already exists for SVM "{svm}".', "name")


class GroupUserTwice(OntapError):
    code = "92405966"

    def __init__(self, name: str) -> None:
        super().__init__(f'User name "{name}" is present more than once in the users field.', "users")


class ActionInvalid(OntapError):
    code = "92405906"

    def __init__(self, action: str) -> None:
        super().__init__(f'The specified action name "{action}" is invalid.', "statements.actions")


class PolicyNameLength(OntapError):
    code = "92405948"

    def __init__(self) -> None:
        super().__init__("Policy name is not valid. Policy names must have between 1 and 128 characters.", "name")


class PolicyNameInvalid(OntapError):
    code = "92405949"

    def __init__(self, name: str) -> None:
        super().__init__(
            f'Policy name "{name}" contains invalid characters. Valid characters: 0-9, A-Z, a-z, "_", "+", "=", ",", '
            '".", "@", and "-".',
            "name",
        )


class PolicyExists(OntapError):
    status, code = 409, "92405950"

    def __init__(self, name: str, svm: str) -> None:
        super().__init__(f'Policy name "{name}" already exists for SVM "{svm}".', "name")


class PolicyReserved(OntapError):
    code = "92405954"

    def __init__(self, name: str) -> None:
        super().__init__(
            f'Policy name "{name}" is reserved for read-only policies. Cannot be used for custom policy creation.',
            "name",
        )


class PolicyInUse(InUse):
    def __init__(self, name: str, group: str) -> None:
        super().__init__(f'Policy "{name}" cannot be deleted: it is attached to the group "{group}".')


class BucketNotCreated(OntapError):
    code = "92405777"

    def __init__(self, name: str, svm: str, reason: str) -> None:
        super().__init__(f'Failed to create bucket "{name}" for SVM "{svm}". Reason: {reason}')


class BucketNotRemoved(OntapError):
    code = "92405779"

    def __init__(self, name: str, svm: str, reason: str) -> None:
        super().__init__(f'Failed to remove bucket "{name}" for SVM "{svm}". Reason: {reason}')


class BucketNameInvalid(OntapError):
    code = "92405785"

    def __init__(self, name: str) -> None:
        super().__init__(
            f'Bucket name "{name}" contains invalid characters or invalid character combinations. Valid characters for '
            'a bucket name are 0-9, a-z, ".", and "-". Invalid character combinations are ".-", "-.", and "..".',
            "name",
        )


class BucketNameLength(OntapError):
    code = "92405786"

    def __init__(self, name: str) -> None:
        super().__init__(
            f'Bucket name "{name}" is not valid. Bucket names must have between 3 and 63 characters.', "name"
        )


class BucketExists(Exists):
    def __init__(self, name: str, svm: str) -> None:
        super().__init__(f'Bucket "{name}" already exists for SVM "{svm}".', "name")


class AggregatesMissing(OntapError):
    code = "92405857"

    def __init__(self) -> None:
        super().__init__(
            'One or more aggregates must be specified if "constituents_per_aggregate" is specified.', "aggregates"
        )


class AggregateUnknown(OntapError):
    code = "92405859"

    def __init__(self, named: dict[str, str]) -> None:
        super().__init__(
            f'The specified aggregate "{named.get("name") or named.get("uuid")}" does not exist.', "aggregates"
        )


class NoSuchBucket(OntapError):
    status, code = 404, "92405861"

    def __init__(self) -> None:
        super().__init__("The specified SVM UUID or bucket UUID does not exist.", "uuid")


class ResourceInvalid(OntapError):
    code = "92405891"

    def __init__(self, resource: str) -> None:
        super().__init__(
            f'The resource "{resource}" specified in the access policy is not valid. Valid ways to specify a resource '
            'are "*", "<bucket-name>", "<bucket-name>/.../...".',
            "policy.statements.resources",
        )


class TooManyEntries(OntapError):
    code = "92405894"

    def __init__(self) -> None:
        super().__init__("Statements, principals and resources list can have a maximum of 10 entries.", "policy")


class PrincipalInvalid(OntapError):
    code = "92405897"

    def __init__(self, principal: str, why: str) -> None:
        super().__init__(
            f'The principal "{principal}" specified in the access policy {why}.', "policy.statements.principals"
        )


class SidInvalid(OntapError):
    code = "92405898"

    def __init__(self, sid: str) -> None:
        super().__init__(
            f'The SID "{sid}" specified in the access policy is not valid. Valid characters for a SID are 0-9, A-Z and '
            "a-z.",
            "policy.statements.sid",
        )


class NotForBucketType(OntapError):
    code = "92406025"

    def __init__(self, parameter: str, bucket_type: str) -> None:
        super().__init__(f'Parameter "{parameter}" is not supported for a "{bucket_type}" bucket.', parameter)


class NasBucketLock(OntapError):
    code = "92406166"

    def __init__(self) -> None:
        super().__init__("Cannot enable locking on a NAS bucket.", "retention.mode")
