"""Microsoft's Python clients against the simulator, over HTTPS, with its certificate authority.

Prints one line a check and a closing line `azure-sdk: N passed, N failed`; exits with 1 if one failed.

    python azure_sdk.py path/to/lifeboat
"""

import pathlib
import re
import sys
import time
import traceback

from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.core import MatchConditions
from azure.identity import ClientSecretCredential
from azure.mgmt.apimanagement import ApiManagementClient
from azure.mgmt.apimanagement.models import ApiManagementServiceBackupRestoreParameters
from azure.mgmt.dns import DnsManagementClient
from azure.mgmt.dns.models import CnameRecord, RecordSet
from azure.mgmt.storage import StorageManagementClient
from azure.storage.blob import BlobServiceClient

# Nothing is left beside the sources.
sys.dont_write_bytecode = True
from simulator import Simulator  # noqa: E402

SCENARIO = pathlib.Path(__file__).with_name("scenario.yaml")
# A restore of 45 minutes in four and a half seconds, a Retry-After of a minute in the one second that is the least.
SPEED = 600
ARM = "https://management.azure.com/.default"
SECRET = "the-secret-of-the-client"
NEW_BACKUP = "taken-by-the-sdk.apimbackup"

CHECKS = []


def check(function):
    """Registers a check; they run in the order of the file, for one prepares the world of the next."""
    CHECKS.append(function)
    return function


def equal(found, wanted) -> None:
    if found != wanted:
        raise AssertionError(f"found {found!r}, wanted {wanted!r}")


def refused(call, kind, status: int, code: str | None = None) -> HttpResponseError:
    """Calls, and demands an error of exactly this kind, status and Azure's own code."""
    try:
        result = call()
    except HttpResponseError as error:
        equal((type(error).__name__, error.status_code), (kind.__name__, status))
        if code is not None:
            equal(code_of(error), code)
        return error
    raise AssertionError(f"it was not refused, but gave {result!r}")


def code_of(error: HttpResponseError) -> str | None:
    # Blobs carry it in a header, the resource manager in the body.
    return getattr(error, "error_code", None) or (error.error and error.error.code)


class Part:
    """A resource id, taken apart."""

    def __init__(self, resource_id: str):
        words = resource_id.split("/")
        self.id, self.subscription, self.group, self.name = resource_id, words[2], words[4], words[-1]


class World:
    """All clients of one simulator."""

    def __init__(self, simulator: Simulator):
        self.simulator = simulator
        of = simulator.parameters
        self.active, self.standby = Part(of["active"]), Part(of["standby"])
        self.storage, self.zone = Part(of["storage"]), Part(of["zone"])
        self.container, self.record = of["container"], of["record"]
        self.tls = {"connection_verify": simulator.ca_file}
        self.credential = ClientSecretCredential(
            tenant_id="00000000-0000-0000-0000-00000000000a",
            client_id="00000000-0000-0000-0000-0000000000c1",
            client_secret=SECRET,
            authority=simulator.url,
            disable_instance_discovery=True,
            **self.tls,
        )
        self.apim = self.manager(ApiManagementClient)
        self.dns = self.manager(DnsManagementClient)
        self.accounts = self.manager(StorageManagementClient)
        self.blobs = BlobServiceClient(
            f"{simulator.url}/{self.storage.name}", credential=self.credential, **self.tls
        )
        self.backups = self.blobs.get_container_client(self.container)
        self.key = None
        self.etag = None

    def manager(self, client, **more):
        return client(
            self.credential,
            self.standby.subscription,
            base_url=self.simulator.url,
            credential_scopes=[ARM],
            **self.tls,
            **more,
        )

    def service(self, part: Part, client=None):
        return (client or self.apim).api_management_service.get(part.group, part.name)

    def apis(self, part: Part) -> list[str]:
        return sorted(api.name for api in self.apim.api.list_by_service(part.group, part.name))

    def cname(self, name: str | None = None, client=None):
        return (client or self.dns).record_sets.get(self.zone.group, self.zone.name, name or self.record, "CNAME")

    def parameters(self, backup: str) -> ApiManagementServiceBackupRestoreParameters:
        return ApiManagementServiceBackupRestoreParameters(
            storage_account=self.storage.name,
            container_name=self.container,
            backup_name=backup,
            access_type="AccessKey",
            access_key=self.key,
        )

    def restore(self, backup: str):
        return self.apim.api_management_service.begin_restore(
            self.standby.group, self.standby.name, self.parameters(backup)
        )


# Tokens


@check
def a_client_secret_gives_a_token(world: World) -> None:
    token = world.credential.get_token(ARM)
    equal(len(token.token.split(".")), 3)
    assert token.expires_on > time.time() + 60, token.expires_on
    equal(world.simulator.count("POST", "/oauth2/v2.0/token", 200), 1)


@check
def a_token_that_the_tenant_did_not_give_is_refused(world: World) -> None:
    class Forged:
        def get_token(self, *_scopes, **_more):
            genuine = world.credential.get_token(ARM)
            return genuine._replace(token=genuine.token[:-4] + "XXXX")

    client = ApiManagementClient(
        Forged(), world.standby.subscription, base_url=world.simulator.url, credential_scopes=[ARM], **world.tls
    )
    refused(lambda: world.service(world.standby, client), ClientAuthenticationError, 401, "InvalidAuthenticationToken")


# The service


@check
def a_service_is_read(world: World) -> None:
    service = world.service(world.standby)
    equal(service.id, world.standby.id)
    equal((service.name, service.location), (world.standby.name, "North Europe"))
    equal((service.sku.name, service.sku.capacity), ("Premium", 1))
    equal((service.provisioning_state, service.target_provisioning_state), ("Succeeded", ""))
    equal(service.identity.type, "SystemAssigned")
    assert service.gateway_url.startswith(f"https://{world.standby.name}.azure-api.net"), service.gateway_url
    hosts = [host.host_name for host in service.hostname_configurations]
    equal(hosts, [f"{world.standby.name}.azure-api.net", "api.contoso.com", "api-drill.contoso.com"])
    assert service.hostname_configurations[1].certificate.expiry.year >= 2026
    equal(service.created_at_utc.year, 2023)


@check
def services_are_listed_in_their_group_and_in_the_subscription(world: World) -> None:
    of = world.apim.api_management_service
    equal([service.id for service in of.list_by_resource_group(world.standby.group)], [world.standby.id])
    equal(sorted(service.id for service in of.list()), sorted([world.active.id, world.standby.id]))


@check
def a_service_that_is_not_there_is_not_found(world: World) -> None:
    absent = Part(world.standby.id + "-no")
    refused(lambda: world.service(absent), ResourceNotFoundError, 404, "ResourceNotFound")


@check
def api_management_answers_the_versions_that_clients_send(world: World) -> None:
    for version in ["2022-08-01", "2024-05-01"]:
        service = world.service(world.standby, world.manager(ApiManagementClient, api_version=version))
        equal(service.id, world.standby.id)
        equal(world.simulator.requests()[-1]["url"].split("api-version=")[1], version)


@check
def api_management_refuses_versions_that_do_not_exist(world: World) -> None:
    for version in ["2024-05-02", "2999-01-01", "2024-05-01-private"]:
        client = world.manager(ApiManagementClient, api_version=version)
        refused(lambda: world.service(world.standby, client), HttpResponseError, 400)
    retired = world.manager(ApiManagementClient, api_version="2019-12-01")
    refused(lambda: world.service(world.standby, retired), HttpResponseError, 400)


# The storage account


@check
def a_storage_account_is_read(world: World) -> None:
    account = world.accounts.storage_accounts.get_properties(world.storage.group, world.storage.name)
    equal(account.id, world.storage.id)
    equal((account.location, account.kind), ("northeurope", "StorageV2"))
    assert account.sku.name.startswith("Standard_"), account.sku.name
    equal(account.primary_endpoints.blob, f"{world.simulator.url}/{world.storage.name}/")
    equal(account.status_of_primary, "available")


@check
def keys_are_listed_and_one_can_do_everything(world: World) -> None:
    keys = world.accounts.storage_accounts.list_keys(world.storage.group, world.storage.name)["keys"]
    equal([(key.key_name, key.permissions.lower()) for key in keys], [("key1", "full"), ("key2", "full")])
    assert keys[0].value != keys[1].value
    equal(world.simulator.requests()[-1]["method"], "POST")
    world.key = keys[0].value


@check
def storage_answers_the_versions_that_clients_send(world: World) -> None:
    for version in ["2023-05-01", "2026-09-01"]:
        client = world.manager(StorageManagementClient, api_version=version)
        equal(client.storage_accounts.get_properties(world.storage.group, world.storage.name).id, world.storage.id)
        equal(world.simulator.requests()[-1]["url"].split("api-version=")[1], version)
    nonsense = world.manager(StorageManagementClient, api_version="2023-05-31")
    refused(
        lambda: nonsense.storage_accounts.get_properties(world.storage.group, world.storage.name),
        HttpResponseError,
        400,
    )


# Backup and restore


@check
def a_backup_runs_to_its_end(world: World) -> None:
    before = world.simulator.count("POST", "/backup?")
    poller = world.apim.api_management_service.begin_backup(
        world.active.group, world.active.name, world.parameters(NEW_BACKUP)
    )
    service = poller.result(timeout=60)
    equal((service.id, service.provisioning_state), (world.active.id, "Succeeded"))
    equal(poller.status(), "Succeeded")
    equal(world.simulator.count("POST", "/backup?") - before, 1)
    assert world.simulator.count("GET", "/operationresults/", 202) >= 1, "it was never seen under way"
    equal(world.backups.get_blob_client(NEW_BACKUP).exists(), True)
    assert world.backups.get_blob_client(NEW_BACKUP).get_blob_properties().size > 0


@check
def a_restore_runs_to_its_end_and_brings_the_content(world: World) -> None:
    equal(world.apis(world.standby), [])
    wanted = world.apis(world.active)
    equal(wanted, ["catalog", "orders", "payments"])
    polls = world.simulator.count("GET", "/operationresults/", 202)
    poller = world.restore(NEW_BACKUP)
    # Meanwhile the service is locked, says so, and takes no second one.
    equal(world.service(world.standby).provisioning_state, "Updating")
    refused(lambda: world.restore(NEW_BACKUP), ResourceExistsError, 409, "ServiceLocked")
    service = poller.result(timeout=60)
    equal(service.id, world.standby.id)
    equal((service.provisioning_state, service.target_provisioning_state), ("Succeeded", ""))
    equal(world.apis(world.standby), wanted)
    equal(world.simulator.count("POST", "/restore?", 202), 1)
    equal(world.simulator.count("POST", "/restore?", 409), 1)
    assert world.simulator.count("GET", "/operationresults/", 202) > polls, "it was never seen under way"


@check
def a_restore_of_an_expired_backup_fails_with_azures_own_words(world: World) -> None:
    backups = [blob for blob in world.backups.list_blobs() if blob.name.endswith(".apimbackup")]
    oldest = min(backups, key=lambda blob: blob.creation_time)
    poller = world.restore(oldest.name)
    error = refused(lambda: poller.result(timeout=60), HttpResponseError, 400, "RestoreFailed")
    assert "backup expired" in str(error), str(error)
    equal(world.service(world.standby).provisioning_state, "Succeeded")
    equal(world.apis(world.standby), ["catalog", "orders", "payments"])


@check
def a_restore_with_a_wrong_key_fails(world: World) -> None:
    key, world.key = world.key, "bm90IGEga2V5"
    poller = world.restore(NEW_BACKUP)
    world.key = key
    refused(lambda: poller.result(timeout=60), HttpResponseError, 400, "InvalidParameters")


# DNS


@check
def a_zone_names_its_servers(world: World) -> None:
    zone = world.dns.zones.get(world.zone.group, world.zone.name)
    equal((zone.id.lower(), zone.zone_type), (world.zone.id.lower(), "Public"))
    equal(len(zone.name_servers), 4)
    assert all(server.endswith(".") for server in zone.name_servers), zone.name_servers


@check
def a_record_set_is_read(world: World) -> None:
    record = world.cname()
    equal((record.ttl, record.cname_record.cname), (300, f"{world.active.name}.azure-api.net"))
    equal((record.fqdn, record.metadata), ("api.contoso.com.", {"owner": "platform-team"}))
    assert record.etag
    world.etag = record.etag
    by_type = world.dns.record_sets.list_by_type(world.zone.group, world.zone.name, "CNAME")
    equal(sorted(record.name for record in by_type), ["api", "api-drill"])


@check
def dns_answers_the_versions_that_clients_send(world: World) -> None:
    preview = world.manager(DnsManagementClient, api_version="2023-07-01-preview")
    equal(world.cname(client=preview).etag, world.etag)
    nonsense = world.manager(DnsManagementClient, api_version="2018-05-02")
    refused(lambda: world.cname(client=nonsense), HttpResponseError, 400)


@check
def a_record_set_is_replaced_if_it_is_still_the_one_that_was_read(world: World) -> None:
    target = f"{world.standby.name}.azure-api.net"
    wanted = RecordSet(ttl=60, cname_record=CnameRecord(cname=target), metadata={"owner": "sdk"})
    place = (world.zone.group, world.zone.name, world.record, "CNAME")
    written = world.dns.record_sets.create_or_update(*place, wanted, if_match=world.etag)
    assert written.etag != world.etag
    record = world.cname()
    equal((record.ttl, record.cname_record.cname, record.metadata), (60, target, {"owner": "sdk"}))
    equal(record.etag, written.etag)
    refused(
        lambda: world.dns.record_sets.create_or_update(*place, wanted, if_match=world.etag),
        HttpResponseError,
        412,
        "PreconditionFailed",
    )
    equal(world.cname().etag, written.etag)
    world.etag = written.etag


@check
def a_record_set_is_patched_if_it_is_still_the_one_that_was_read(world: World) -> None:
    place = (world.zone.group, world.zone.name, world.record, "CNAME")
    patched = world.dns.record_sets.update(*place, RecordSet(ttl=120), if_match=world.etag)
    record = world.cname()
    # What the patch does not name stays.
    target = f"{world.standby.name}.azure-api.net"
    equal((record.ttl, record.cname_record.cname, record.metadata), (120, target, {"owner": "sdk"}))
    equal(record.etag, patched.etag)
    refused(
        lambda: world.dns.record_sets.update(*place, RecordSet(ttl=30), if_match=world.etag),
        HttpResponseError,
        412,
        "PreconditionFailed",
    )
    equal(world.cname().ttl, 120)
    world.etag = patched.etag


@check
def a_record_set_is_made_once_and_deleted(world: World) -> None:
    place = (world.zone.group, world.zone.name, "made-by-the-sdk", "CNAME")
    wanted = RecordSet(ttl=60, cname_record=CnameRecord(cname="example.com"))
    made = world.dns.record_sets.create_or_update(*place, wanted, if_none_match="*")
    equal(world.cname("made-by-the-sdk").cname_record.cname, "example.com")
    refused(
        lambda: world.dns.record_sets.create_or_update(*place, wanted, if_none_match="*"), HttpResponseError, 412
    )
    refused(lambda: world.dns.record_sets.delete(*place, if_match="stale"), HttpResponseError, 412)
    world.dns.record_sets.delete(*place, if_match=made.etag)
    refused(lambda: world.cname("made-by-the-sdk"), ResourceNotFoundError, 404, "NotFound")


# Blobs


@check
def blobs_are_listed_by_pages(world: World) -> None:
    pages = [list(page) for page in world.backups.list_blobs(results_per_page=10).by_page()]
    names = [blob.name for page in pages for blob in page]
    # 34 backups and three traps, each with its manifest, and the one that was taken above.
    equal([len(page) for page in pages], [10, 10, 10, 10, 10, 10, 10, 5])
    equal((len(set(names)), names), (75, sorted(names)))
    equal(world.simulator.count("GET", "maxresults=10"), len(pages))
    drawn = [blob.name for blob in world.backups.list_blobs(name_starts_with="taken-by")]
    equal(drawn, [NEW_BACKUP])
    wanted = re.compile(r"^apim-contoso-west-\d{8}T\d{6}Z\.apimbackup(\.manifest\.json)?$")
    equal([name for name in names if not wanted.match(name)], [NEW_BACKUP])


@check
def a_container_that_is_not_there_is_not_found(world: World) -> None:
    absent = world.blobs.get_container_client("nothing-here")
    refused(lambda: list(absent.list_blobs()), ResourceNotFoundError, 404, "ContainerNotFound")
    equal(absent.exists(), False)
    equal(world.backups.exists(), True)


@check
def a_blob_is_written_read_and_deleted(world: World) -> None:
    blob = world.backups.get_blob_client("of the sdk/ä+b&c.txt")
    content = b"0123456789" * 1000
    written = blob.upload_blob(content, metadata={"origin": "sdk"})
    downloaded = blob.download_blob()
    equal((downloaded.readall(), downloaded.properties.metadata), (content, {"origin": "sdk"}))
    equal(blob.download_blob(offset=9995, length=5).readall(), b"56789")
    properties = blob.get_blob_properties()
    equal((properties.size, properties.etag, properties.blob_type), (len(content), written["etag"], "BlockBlob"))
    equal(properties.creation_time is not None and properties.last_modified is not None, True)
    listed = list(world.backups.list_blobs(name_starts_with="of the sdk/", include=["metadata"]))
    equal([(it.name, it.size, it.metadata) for it in listed], [(blob.blob_name, len(content), {"origin": "sdk"})])
    blob.delete_blob()
    refused(blob.delete_blob, ResourceNotFoundError, 404, "BlobNotFound")
    refused(lambda: blob.download_blob().readall(), ResourceNotFoundError, 404, "BlobNotFound")
    equal(blob.exists(), False)


@check
def a_blob_is_written_only_under_its_condition(world: World) -> None:
    blob = world.backups.get_blob_client("condition.txt")
    first = blob.upload_blob(b"one", overwrite=False)
    refused(lambda: blob.upload_blob(b"two", overwrite=False), ResourceExistsError, 409, "BlobAlreadyExists")
    same = {"overwrite": True, "match_condition": MatchConditions.IfNotModified}
    blob.upload_blob(b"three", etag=first["etag"], **same)
    refused(
        lambda: blob.upload_blob(b"four", etag=first["etag"], **same), ResourceModifiedError, 412, "ConditionNotMet"
    )
    refused(
        lambda: blob.delete_blob(etag=first["etag"], match_condition=MatchConditions.IfNotModified),
        ResourceModifiedError,
        412,
        "ConditionNotMet",
    )
    equal(blob.download_blob().readall(), b"three")
    blob.upload_blob(b"", overwrite=True)
    equal(blob.download_blob().readall(), b"")
    blob.delete_blob()


# What is left


@check
def nothing_was_asked_that_the_simulator_does_not_know(world: World) -> None:
    unknown = [request for request in world.simulator.requests() if request["status"] in (405, 500, 501)]
    equal(unknown, [])


@check
def no_secret_is_in_the_log_of_requests(world: World) -> None:
    text = world.simulator.request_log.read_text(encoding="utf-8")
    assert world.key is not None
    for secret in [SECRET, world.key]:
        assert secret not in text, "a secret is in the log"


def main(binary: str) -> int:
    passed = failed = 0
    with Simulator(binary, SCENARIO, SPEED) as simulator:
        world = World(simulator)
        for function in CHECKS:
            words = function.__name__.replace("_", " ")
            try:
                function(world)
            except Exception:  # whatever it is, it is a check that failed, and the next one runs
                failed += 1
                print(f"FAILED  {words}\n{traceback.format_exc()}", flush=True)
            else:
                passed += 1
                print(f"ok      {words}", flush=True)
    print(f"azure-sdk: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
