//! What each action is called, takes, gives and may do: the one table behind the check, the JSON
//! Schema, the reference and the plan. The typed arguments live with the actions; a test holds both together.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

macro_rules! action_kinds {
    ($($kind:ident = $name:literal),+ $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum ActionKind {
            $(#[serde(rename = $name)] $kind),+
        }

        impl ActionKind {
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),+ }
            }

            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$kind),)+ _ => None }
            }
        }
    };
}

action_kinds! {
    ConfirmOutage = "apim.confirm-outage",
    VerifyStandby = "apim.verify-standby",
    FindLatest = "backup.find-latest",
    Restore = "apim.restore",
    GatewayHealth = "gateway.health-check",
    FlipCname = "dns.flip-cname",
    VerifyPropagation = "dns.verify-propagation",
    Approval = "approval",
    HttpRequest = "http.request",
    Command = "command",
    Wait = "wait",
}

impl fmt::Display for ActionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What an action may do to the world; the plan draws the line where going back ends after the last irreversible one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    ReadOnly,
    Reversible,
    Irreversible,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ReadOnly => "read-only",
            Self::Reversible => "reversible",
            Self::Irreversible => "irreversible",
        })
    }
}

/// The shape of one field. A text with `${{ }}` is accepted for every shape and judged when its value is known.
#[derive(Clone, Copy, Debug)]
pub enum FieldType {
    String,
    /// Inclusive bounds.
    Integer(i64, i64),
    Boolean,
    Duration,
    /// The ARM type it must be of, compared without regard to case; empty: any.
    ResourceId(&'static str),
    Hostname,
    /// Absolute `http://` or `https://` URL.
    Url,
    OneOf(&'static [&'static str]),
    List(&'static FieldType),
    /// Free keys, values of one shape.
    Map(&'static FieldType),
    Record(&'static [Field]),
    /// A value that another step gives, such as a chosen backup: an object or an expression.
    Object,
}

#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub shape: FieldType,
    pub required: bool,
    pub summary: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub struct Output {
    pub name: &'static str,
    pub summary: &'static str,
}

#[derive(Debug)]
pub struct Entry {
    pub kind: ActionKind,
    pub summary: &'static str,
    pub fields: &'static [Field],
    /// Every output the action gives. `steps.<id>.<name>` is checked against it.
    pub outputs: &'static [Output],
    pub effect: Effect,
    /// Bound of one attempt when the step names none.
    pub timeout: Duration,
    /// Predicted duration when there is no history, and where the figure is from.
    pub typical: Duration,
    pub typical_source: &'static str,
    /// The field that names the traffic it moves; in a drill it must come from a parameter with a `drill:` value.
    pub traffic: Option<&'static str>,
}

const fn required(name: &'static str, shape: FieldType, summary: &'static str) -> Field {
    Field { name, shape, required: true, summary }
}

const fn optional(name: &'static str, shape: FieldType, summary: &'static str) -> Field {
    Field { name, shape, required: false, summary }
}

const fn output(name: &'static str, summary: &'static str) -> Output {
    Output { name, summary }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub const APIM_SERVICE: &str = "Microsoft.ApiManagement/service";
pub const STORAGE_ACCOUNT: &str = "Microsoft.Storage/storageAccounts";
pub const DNS_ZONE: &str = "Microsoft.Network/dnsZones";

const TIERS: FieldType = FieldType::OneOf(&["Developer", "Basic", "Standard", "Premium"]);
const STATUS: FieldType = FieldType::Integer(100, 599);

const PATH_FIELDS: &[Field] = &[
    required("path", FieldType::String, "path on the gateway, with a leading slash"),
    optional("expect_status", STATUS, "status that counts as healthy; default 200"),
];

static CONFIRM_OUTAGE: Entry = Entry {
    kind: ActionKind::ConfirmOutage,
    summary: "observe the active service twice and refuse if it looks alive",
    fields: &[
        required("service", FieldType::ResourceId(APIM_SERVICE), "the API Management service that is believed lost"),
        optional("hold_off", FieldType::Duration, "time between the two observations; default 120s"),
    ],
    outputs: &[output("evidence", "what each of the two observations saw")],
    effect: Effect::ReadOnly,
    timeout: seconds(10 * 60),
    typical: seconds(130),
    typical_source: "two observations, hold_off apart",
    traffic: None,
};

static VERIFY_STANDBY: Entry = Entry {
    kind: ActionKind::VerifyStandby,
    summary: "prove that the standby can take a restore of the active service's backup",
    fields: &[
        required("standby", FieldType::ResourceId(APIM_SERVICE), "the service that takes over"),
        optional(
            "active",
            FieldType::ResourceId(APIM_SERVICE),
            "the service that is leaving; compared when it answers",
        ),
        optional(
            "backup",
            FieldType::Object,
            "a backup chosen by backup.find-latest; its manifest stands in for the active service",
        ),
        optional(
            "expect_tier",
            TIERS,
            "tier to compare with when neither the active service nor a manifest can be read",
        ),
    ],
    outputs: &[
        output("gateway_host", "host name of the standby's own gateway, the target of the CNAME"),
        output("gateway_url", "URL of the standby's own gateway"),
        output("tier", "the standby's tier"),
        output("location", "the standby's region"),
        output("compared_with", "what the tier was compared with: active, manifest or expect_tier"),
    ],
    effect: Effect::ReadOnly,
    timeout: seconds(2 * 60),
    typical: seconds(5),
    typical_source: "a few reads",
    traffic: None,
};

static FIND_LATEST: Entry = Entry {
    kind: ActionKind::FindLatest,
    summary: "choose the newest backup that has not expired and can be restored",
    fields: &[
        required("storage", FieldType::ResourceId(STORAGE_ACCOUNT), "account that holds the backups"),
        required("container", FieldType::String, "blob container"),
        optional("prefix", FieldType::String, "only blobs whose name begins so"),
        optional(
            "margin",
            FieldType::Duration,
            "a backup must stay valid this long beyond the longest restore; default 12h",
        ),
        optional(
            "restore_timeout",
            FieldType::Duration,
            "longest restore to allow for; default: the longest timeout of an apim.restore step of the plan",
        ),
    ],
    outputs: &[
        output("backup", "the chosen backup: storage, account, container, name, created, expires, age, size, manifest"),
        output("name", "its blob name"),
        output("created", "its own creation, UTC"),
        output("expires", "30 days later, UTC"),
        output("age", "its age when it was chosen"),
    ],
    effect: Effect::ReadOnly,
    timeout: seconds(5 * 60),
    typical: seconds(5),
    typical_source: "one listing",
    traffic: None,
};

static RESTORE: Entry = Entry {
    kind: ActionKind::Restore,
    summary: "restore a backup to a service; cannot be undone",
    fields: &[
        required("service", FieldType::ResourceId(APIM_SERVICE), "the service that is overwritten"),
        required("backup", FieldType::Object, "the backup, from backup.find-latest"),
        required(
            "access",
            FieldType::OneOf(&["access-key", "system-assigned-identity", "user-assigned-identity"]),
            "how the service reads the storage account",
        ),
        optional("client_id", FieldType::String, "client id of the user-assigned identity"),
        optional(
            "access_key",
            FieldType::Record(ACCESS_KEY_FIELDS),
            "where the key is; default: listKeys at the moment of use",
        ),
    ],
    outputs: &[
        output("service", "resource id of the restored service"),
        output("operation", "URL of the long-running operation, when Azure gave one"),
        output("duration", "how long the restore took"),
    ],
    effect: Effect::Irreversible,
    timeout: seconds(90 * 60),
    typical: seconds(45 * 60),
    typical_source: "Microsoft: 45 minutes or more",
    traffic: None,
};

const ACCESS_KEY_FIELDS: &[Field] = &[
    optional("env", FieldType::String, "environment variable that holds the key"),
    optional("file", FieldType::String, "file that holds the key"),
];

static GATEWAY_HEALTH: Entry = Entry {
    kind: ActionKind::GatewayHealth,
    summary: "prove that the gateway of a service serves the production hostname",
    fields: &[
        required("service", FieldType::ResourceId(APIM_SERVICE), "the service whose gateway is asked"),
        required("hostname", FieldType::Hostname, "production hostname, sent as SNI and Host"),
        optional("paths", FieldType::List(&FieldType::Record(PATH_FIELDS)), "paths to ask besides the status endpoint"),
        optional("consecutive", FieldType::Integer(1, 100), "healthy answers in a row that are wanted; default 3"),
        optional("interval", FieldType::Duration, "time between two of them; default 2s"),
        optional("certificate_days", FieldType::Integer(0, 825), "days the certificate must still be valid; default 1"),
        optional("thumbprint", FieldType::String, "SHA-1 thumbprint the certificate must have"),
    ],
    outputs: &[
        output("address", "address and port that answered"),
        output("thumbprint", "SHA-1 thumbprint of the certificate it showed"),
        output("certificate_expires", "when that certificate ends, UTC"),
    ],
    effect: Effect::ReadOnly,
    timeout: seconds(60),
    typical: seconds(10),
    typical_source: "three answers in a row",
    traffic: None,
};

static FLIP_CNAME: Entry = Entry {
    kind: ActionKind::FlipCname,
    summary: "point a CNAME record of an Azure DNS zone at another target",
    fields: &[
        required("zone", FieldType::ResourceId(DNS_ZONE), "the public Azure DNS zone"),
        required("record", FieldType::String, "relative record name"),
        required("target", FieldType::Hostname, "host name the record shall point at"),
        optional("ttl", FieldType::Duration, "TTL to set; default: as it is"),
    ],
    outputs: &[
        output("target", "where the record points now"),
        output("previous_target", "where it pointed before"),
        output("previous_ttl", "the TTL before, which caches may still hold"),
        output("hostname", "full name of the record"),
        output("etag", "ETag of the record now"),
        output("flipped_at", "when Azure took the change, UTC"),
    ],
    effect: Effect::Reversible,
    timeout: seconds(2 * 60),
    typical: seconds(3),
    typical_source: "one write",
    traffic: Some("record"),
};

static VERIFY_PROPAGATION: Entry = Entry {
    kind: ActionKind::VerifyPropagation,
    summary: "wait until every name server and resolver gives the new target and the old TTL has drained",
    fields: &[
        required("zone", FieldType::ResourceId(DNS_ZONE), "the public Azure DNS zone"),
        required("record", FieldType::String, "relative record name"),
        required("target", FieldType::Hostname, "the expected target"),
        optional("interval", FieldType::Duration, "time between two rounds of questions; default 5s"),
        optional("drain", FieldType::Boolean, "wait for the old TTL too; default true"),
    ],
    outputs: &[
        output("servers", "what each name server and resolver answered last"),
        output("drained_at", "when the last cache of the old answer ran out, UTC"),
    ],
    effect: Effect::ReadOnly,
    timeout: seconds(15 * 60),
    typical: seconds(5 * 60),
    typical_source: "the old TTL, at least",
    traffic: None,
};

static APPROVAL: Entry = Entry {
    kind: ActionKind::Approval,
    summary: "wait until people approve",
    fields: &[
        required("prompt", FieldType::String, "the question the approver answers"),
        optional("approvers", FieldType::Integer(1, 20), "how many different people must approve; default 1"),
    ],
    outputs: &[output("approved_by", "who approved")],
    effect: Effect::ReadOnly,
    timeout: seconds(60 * 60),
    typical: seconds(5 * 60),
    typical_source: "assumed",
    traffic: None,
};

static HTTP_REQUEST: Entry = Entry {
    kind: ActionKind::HttpRequest,
    summary: "send one HTTP request",
    fields: &[
        required("url", FieldType::Url, "where to"),
        optional("method", FieldType::OneOf(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]), "default GET"),
        optional("headers", FieldType::Map(&FieldType::String), "request headers; no secrets, they are journalled"),
        optional("body", FieldType::String, "request body"),
        optional("expect_status", FieldType::List(&STATUS), "statuses that count as success; default: any 2xx"),
    ],
    outputs: &[output("status", "status code"), output("body", "first 64 KiB of the body, as text")],
    effect: Effect::Irreversible,
    timeout: seconds(60),
    typical: seconds(2),
    typical_source: "assumed",
    traffic: None,
};

static COMMAND: Entry = Entry {
    kind: ActionKind::Command,
    summary: "run a program, without a shell, in a process group of its own",
    fields: &[
        required("argv", FieldType::List(&FieldType::String), "program and arguments"),
        optional(
            "env",
            FieldType::Map(&FieldType::String),
            "environment variables to add; no secrets, they are journalled",
        ),
        optional("directory", FieldType::String, "working directory"),
        optional("read_only", FieldType::Boolean, "the program changes nothing, so it may be run again; default false"),
    ],
    outputs: &[output("stdout", "last 64 KiB"), output("stderr", "last 64 KiB"), output("exit_code", "exit code")],
    effect: Effect::Irreversible,
    timeout: seconds(10 * 60),
    typical: seconds(10),
    typical_source: "assumed",
    traffic: None,
};

static WAIT: Entry = Entry {
    kind: ActionKind::Wait,
    summary: "wait",
    fields: &[required("duration", FieldType::Duration, "how long")],
    outputs: &[],
    effect: Effect::ReadOnly,
    timeout: seconds(24 * 3600),
    typical: seconds(0),
    typical_source: "the step itself",
    traffic: None,
};

impl ActionKind {
    pub fn entry(self) -> &'static Entry {
        match self {
            Self::ConfirmOutage => &CONFIRM_OUTAGE,
            Self::VerifyStandby => &VERIFY_STANDBY,
            Self::FindLatest => &FIND_LATEST,
            Self::Restore => &RESTORE,
            Self::GatewayHealth => &GATEWAY_HEALTH,
            Self::FlipCname => &FLIP_CNAME,
            Self::VerifyPropagation => &VERIFY_PROPAGATION,
            Self::Approval => &APPROVAL,
            Self::HttpRequest => &HTTP_REQUEST,
            Self::Command => &COMMAND,
            Self::Wait => &WAIT,
        }
    }
}
