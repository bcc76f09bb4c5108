"""Cuts Microsoft's OpenAPI descriptions down to the operations that the contract tests hold.

    python cut_openapi.py SPECIFICATION tests/it/fixtures/openapi

SPECIFICATION is the folder `specification` of Azure/azure-rest-api-specs. Each output file has the operations that
are named here, every parameter in its place, and the definitions that they reach, by name. What is only for people
or for generators of code is left out. Operations that no description has are written here by hand, each with the
source of what it says.
"""

import json
import pathlib
import sys

ORIGIN = "Azure/azure-rest-api-specs"
APIM = "apimanagement/resource-manager/Microsoft.ApiManagement/ApiManagement/stable/2024-05-01"
AUTHORIZATION = "authorization/resource-manager/Microsoft.Authorization/stable/2022-04-01"
STORAGE = "storage/resource-manager/Microsoft.Storage/stable/2023-05-01"
ERRORS = "common-types/resource-management/v5/types.json#/definitions/ErrorResponse"

# For people and for generators.
LEFT_OUT = {
    "description", "summary", "tags", "externalDocs", "example", "title", "x-ms-examples", "x-ms-client-name",
    "x-ms-client-flatten", "x-ms-parameter-location", "x-ms-pageable", "x-ms-odata", "x-ms-mutability",
    "x-ms-azure-resource", "x-ms-secret", "x-ms-client-request-id", "x-ms-parameter-grouping", "x-ms-code-generation-settings",
    "x-ms-skip-url-encoding", "x-ms-external", "x-ms-identifiers", "x-ms-arm-id-details", "default", "consumes", "produces",
}
# Keys whose values are maps from names to schemas, whatever the names are.
MAPS = {"properties", "definitions", "headers", "responses"}

# Output file: its sources, each with the operations that are kept.
FILES = {
    "apimanagement.json": {
        f"{APIM}/apimdeployment.json": [
            "ApiManagementService_Get",
            "ApiManagementService_Backup",
            "ApiManagementService_Restore",
            "ApiManagementService_List",
            "ApiManagementService_ListByResourceGroup",
        ],
        f"{APIM}/apimnetworkstatus.json": ["NetworkStatus_ListByService", "NetworkStatus_ListByLocation"],
        f"{APIM}/apimdeletedservices.json": ["DeletedServices_ListBySubscription", "DeletedServices_GetByName"],
        f"{APIM}/apimskus.json": ["ApiManagementSkus_List"],
    },
    "dns.json": {
        "dns/resource-manager/Microsoft.Network/stable/2018-05-01/dns.json": [
            "Zones_Get",
            "RecordSets_Get",
            "RecordSets_CreateOrUpdate",
            "RecordSets_Update",
            "RecordSets_Delete",
            "RecordSets_ListByType",
            "RecordSets_ListByDnsZone",
        ]
    },
    "privatedns.json": {
        "privatedns/resource-manager/Microsoft.Network/stable/2024-06-01/privatedns.json": [
            "PrivateZones_Get",
            "RecordSets_Get",
            "RecordSets_CreateOrUpdate",
            "RecordSets_Update",
            "RecordSets_Delete",
            "RecordSets_ListByType",
            "VirtualNetworkLinks_List",
        ]
    },
    "trafficmanager.json": {
        "trafficmanager/resource-manager/Microsoft.Network/stable/2022-04-01/trafficmanager.json": [
            "Profiles_Get",
            "Endpoints_Get",
            "Endpoints_Update",
            "Endpoints_CreateOrUpdate",
        ]
    },
    "storage.json": {
        f"{STORAGE}/storage.json": ["StorageAccounts_GetProperties", "StorageAccounts_List", "StorageAccounts_ListKeys"],
        f"{STORAGE}/blob.json": ["BlobServices_GetServiceProperties", "BlobContainers_Get", "BlobContainers_List"],
    },
    "activitylog.json": {
        "monitor/resource-manager/Microsoft.Insights/stable/2015-04-01/activityLogs_API.json": ["ActivityLogs_List"]
    },
    "resourcehealth.json": {
        "resourcehealth/resource-manager/Microsoft.ResourceHealth/stable/2024-02-01/ResourceHealth.json": [
            "AvailabilityStatuses_GetByResource"
        ]
    },
    "authorization.json": {
        f"{AUTHORIZATION}/authorization-RoleDefinitionsCalls.json": [
            "Permissions_ListForResourceGroup",
            "Permissions_ListForResource",
            "RoleDefinitions_Get",
        ],
        f"{AUTHORIZATION}/authorization-RoleAssignmentsCalls.json": ["RoleAssignments_ListForScope"],
    },
    "locks.json": {
        "resources/resource-manager/Microsoft.Authorization/stable/2020-05-01/locks.json": [
            "ManagementLocks_ListAtResourceGroupLevel",
            "ManagementLocks_ListAtResourceLevel",
            "ManagementLocks_ListAtSubscriptionLevel",
            "ManagementLocks_ListByScope",
        ]
    },
    "resources.json": {},
    "frontdoor.json": {},
    "insights.json": {},
}

GROUP = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}"
SERVICE = GROUP + "/providers/Microsoft.ApiManagement/service/{serviceName}"
ORIGIN_GROUP = GROUP + "/providers/Microsoft.Cdn/profiles/{profileName}/originGroups/{originGroupName}"


def path_parameters(path: str) -> list[dict]:
    names = [piece.split("}")[0] for piece in path.split("{")[1:]]
    return [{"name": name, "in": "path", "required": True, "type": "string"} for name in names]


def by_hand(operation: str, source: str, path: str, responses: dict, more: list[dict] | None = None) -> dict:
    version = {"name": "api-version", "in": "query", "required": True, "type": "string"}
    return {
        "operationId": operation,
        "x-source": source,
        "parameters": [*path_parameters(path), version, *(more or [])],
        "responses": {**responses, "default": {"schema": {"$ref": ERRORS}}},
    }


def listed(what: str) -> dict:
    """The answer of a list that names its items."""
    return {"200": {"schema": {"$ref": f"{APIM}/definitions.json#/definitions/{what}Collection"}}}


def filtered() -> list[dict]:
    texts = [{"name": name, "in": "query", "required": False, "type": "string"} for name in ["$filter", "$skip", "$top"]]
    return [*texts, {"name": "expandApiVersionSet", "in": "query", "required": False, "type": "boolean"}]


def content(path: str, operation: str, what: str) -> dict:
    source = "the path by hand, from Microsoft's reference of this version; the answer from definitions.json"
    full = f"{SERVICE}/{path}"
    return {full: {"get": by_hand(operation, source, full, listed(what), filtered())}}


SERVICE_BODY = {"$ref": f"{APIM}/apimdeployment.json#/definitions/ApiManagementServiceResource"}
RECORDED = "recorded wire traffic: Azure/azure-sdk-for-net, BackupAndRestoreService.json of API Management"

TEXT = {"type": "string"}
ORIGIN_BODY = {
    "type": "object",
    "properties": {
        "id": {**TEXT, "readOnly": True},
        "name": {**TEXT, "readOnly": True},
        "type": {**TEXT, "readOnly": True},
        "properties": {
            "type": "object",
            "properties": {
                "hostName": TEXT,
                "httpPort": {"type": "integer"},
                "httpsPort": {"type": "integer"},
                "originHostHeader": TEXT,
                "priority": {"type": "integer", "minimum": 1, "maximum": 5},
                "weight": {"type": "integer", "minimum": 1, "maximum": 1000},
                "enabledState": {**TEXT, "enum": ["Enabled", "Disabled"]},
                "enforceCertificateNameCheck": {"type": "boolean"},
                "azureOrigin": {"type": "object"},
                "sharedPrivateLinkResource": {"type": "object"},
                "originGroupName": {**TEXT, "readOnly": True},
                "provisioningState": {**TEXT, "readOnly": True},
                "deploymentStatus": {**TEXT, "readOnly": True},
            },
        },
    },
}
ORIGIN_LIST = {
    "type": "object",
    "properties": {"value": {"type": "array", "items": ORIGIN_BODY}, "nextLink": TEXT},
}
FRONT_DOOR = "no description at hand: by hand, from azure-facts 2.4"
ORIGIN_PATCH = {
    "name": "originUpdateProperties",
    "in": "body",
    "required": True,
    "schema": {"type": "object", "required": ["properties"], "properties": {"properties": ORIGIN_BODY["properties"]["properties"]}},
}
# As the service writes it in Azure-AsyncOperation.
ORIGIN_RESULT = (
    GROUP + "/providers/Microsoft.Cdn/operationresults/{operationId}/profileresults/{profileName}"
    "/origingroupresults/{originGroupName}/originresults/{originName}"
)
MONITOR = {
    "type": "object",
    "required": ["status"],
    "properties": {
        "status": TEXT,
        "error": {"type": "object", "properties": {"code": TEXT, "message": TEXT}},
        "properties": {"type": "object"},
    },
}
ONE_ORIGIN = f"{ORIGIN_GROUP}/origins/{{originName}}"

BY_HAND = {
    "apimanagement.json": {
        f"{SERVICE}/operationresults/{{operationId}}": {
            "get": by_hand(
                "OperationResults_Get",
                RECORDED,
                SERVICE + "/operationresults/{operationId}",
                {"200": {"schema": SERVICE_BODY}, "202": {"headers": {"location": TEXT, "retry-after": TEXT}}},
            )
        },
        **content("apis", "Api_ListByService", "Api"),
        **content("products", "Product_ListByService", "Product"),
        **content("subscriptions", "Subscription_List", "Subscription"),
        **content("namedValues", "NamedValue_ListByService", "NamedValue"),
        **content("workspaces", "Workspace_ListByService", "Workspace"),
        **content("portalRevisions", "PortalRevision_ListByService", "PortalRevision"),
    },
    "resources.json": {
        GROUP: {
            "get": by_hand(
                "ResourceGroups_Get",
                "by hand, from Microsoft's reference of 2022-09-01",
                GROUP,
                {
                    "200": {
                        "schema": {
                            "type": "object",
                            "required": ["location"],
                            "properties": {
                                "id": TEXT,
                                "name": TEXT,
                                "type": TEXT,
                                "location": TEXT,
                                "managedBy": TEXT,
                                "tags": {"type": "object", "additionalProperties": TEXT},
                                "properties": {"type": "object", "properties": {"provisioningState": TEXT}},
                            },
                        }
                    }
                },
            )
        }
    },
    "frontdoor.json": {
        ONE_ORIGIN: {
            "get": by_hand("AFDOrigins_Get", FRONT_DOOR, ONE_ORIGIN, {"200": {"schema": ORIGIN_BODY}}),
            "patch": {
                **by_hand(
                    "AFDOrigins_Update",
                    FRONT_DOOR,
                    ONE_ORIGIN,
                    {
                        "200": {"schema": ORIGIN_BODY},
                        "202": {"schema": ORIGIN_BODY, "headers": {"azure-asyncoperation": TEXT, "location": TEXT}},
                    },
                    [ORIGIN_PATCH],
                ),
                "x-ms-long-running-operation": True,
            },
        },
        ORIGIN_RESULT: {
            "get": by_hand("AFDOrigins_UpdateResult", FRONT_DOOR, ORIGIN_RESULT, {"200": {"schema": MONITOR}})
        },
        f"{ORIGIN_GROUP}/origins": {
            "get": by_hand(
                "AFDOrigins_ListByOriginGroup", FRONT_DOOR, f"{ORIGIN_GROUP}/origins", {"200": {"schema": ORIGIN_LIST}}
            )
        },
    },
    "insights.json": {
        "/{resourceUri}/providers/Microsoft.Insights/diagnosticSettings": {
            "get": by_hand(
                "DiagnosticSettings_List",
                "no description at hand: written by hand from Microsoft's reference of 2021-05-01-preview",
                "/{resourceUri}/providers/Microsoft.Insights/diagnosticSettings",
                {
                    "200": {
                        "schema": {
                            "type": "object",
                            "properties": {
                                "value": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "properties": {
                                            "id": TEXT,
                                            "name": TEXT,
                                            "type": TEXT,
                                            "systemData": {"type": "object"},
                                            "properties": {
                                                "type": "object",
                                                "properties": {
                                                    "storageAccountId": TEXT,
                                                    "workspaceId": TEXT,
                                                    "eventHubName": TEXT,
                                                    "eventHubAuthorizationRuleId": TEXT,
                                                    "logAnalyticsDestinationType": TEXT,
                                                    "logs": {"type": "array", "items": {"type": "object"}},
                                                    "metrics": {"type": "array", "items": {"type": "object"}},
                                                },
                                            },
                                        },
                                    },
                                }
                            },
                        }
                    }
                },
            )
        }
    },
}
# Of files that have no description behind them.
VERSIONS = {"resources.json": "2022-09-01", "frontdoor.json": "2024-02-01", "insights.json": "2021-05-01-preview"}


class Cutter:
    def __init__(self, specification: pathlib.Path):
        self.root = specification
        self.texts: dict[str, dict] = {}
        self.definitions: dict[str, dict] = {}
        self.names: dict[str, str] = {}

    def text(self, path: str) -> dict:
        if path not in self.texts:
            self.texts[path] = json.loads((self.root / path).read_text(encoding="utf-8-sig"))
        return self.texts[path]

    def resolve(self, reference: str, base: str) -> tuple[str, str, dict]:
        """File, name and content of what a reference means; `base` is the file that it stands in."""
        file, _, pointer = reference.partition("#")
        if file.startswith("."):
            file = (self.root / base).parent.joinpath(file).resolve().relative_to(self.root.resolve()).as_posix()
        file = file or base
        found = self.text(file)
        for word in pointer.strip("/").split("/"):
            found = found[word]
        return file, pointer.rsplit("/", 1)[1], found

    def definition(self, reference: str, base: str) -> str:
        """Keeps a definition and all that it reaches; gives its name in the output."""
        file, name, found = self.resolve(reference, base)
        key = f"{file}#{name}"
        if key not in self.names:
            if name in self.names.values():
                name = f"{pathlib.PurePath(file).stem}.{name}"
            self.names[key] = name
            self.definitions[name] = {}
            self.definitions[name] = self.cut(found, file)
        return self.names[key]

    def cut(self, node, base: str, is_map: bool = False):
        if isinstance(node, list):
            return [self.cut(item, base) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node and isinstance(node["$ref"], str) and not is_map:
            kept = {"$ref": f"#/definitions/{self.definition(node['$ref'], base)}"}
            return kept | ({"readOnly": True} if node.get("readOnly") else {})
        kept = {}
        for key, value in node.items():
            if is_map:
                kept[key] = self.cut(value, base)
            elif key == "x-ms-enum":
                kept[key] = {"modelAsString": value.get("modelAsString", False)}
            elif key not in LEFT_OUT:
                kept[key] = self.cut(value, base, key in MAPS)
        return kept

    def operation(self, operation: dict, shared: list, base: str) -> dict:
        parameters = []
        for parameter in [*shared, *operation.get("parameters", [])]:
            file = base
            if "$ref" in parameter:
                file, _, parameter = self.resolve(parameter["$ref"], base)
            parameters.append(self.cut(parameter, file))
        rest = {key: value for key, value in operation.items() if key != "parameters"}
        return {**self.cut(rest, base), "parameters": parameters}

    def file(self, name: str) -> dict:
        self.definitions, self.names = {}, {}
        paths: dict[str, dict] = {}
        for source, wanted in FILES[name].items():
            found = set()
            for path, methods in self.text(source)["paths"].items():
                for method, operation in methods.items():
                    if method != "parameters" and operation["operationId"] in wanted:
                        found.add(operation["operationId"])
                        cut = self.operation(operation, methods.get("parameters", []), source)
                        paths.setdefault(path, {})[method] = cut
            if found != set(wanted):
                sys.exit(f"{source} has no {set(wanted) - found}")
        for path, methods in BY_HAND.get(name, {}).items():
            cut = {method: self.operation(operation, [], "") for method, operation in methods.items()}
            paths.setdefault(path, {}).update(cut)
        versions = {self.text(source)["info"]["version"] for source in FILES[name] if self.text(source).get("info")}
        [version] = versions or {VERSIONS[name]}
        return {
            "$comment": {
                "source": [f"{ORIGIN} specification/{source}" for source in FILES[name]] or ["by hand: see x-source"],
                "licence": "MIT, (c) Microsoft Corporation" if FILES[name] else "that of this project",
                "cut_by": "tests/clients/cut_openapi.py",
            },
            "info": {"version": version},
            "paths": paths,
            "definitions": dict(sorted(self.definitions.items())),
        }


def main(specification: str, folder: str) -> None:
    cutter = Cutter(pathlib.Path(specification))
    for name in FILES:
        text = json.dumps(cutter.file(name), indent=1, ensure_ascii=False)
        pathlib.Path(folder, name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
