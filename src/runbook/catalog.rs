//! What each action is called, takes, gives and may do: the one table behind the check, the JSON
//! Schema, the reference and the plan. The typed arguments live with the actions; a test holds both together.

mod apim;
mod backup;
mod dns;
mod gateway;
mod general;
mod traffic;

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
    Backup = "apim.backup",
    FindLatest = "backup.find-latest",
    Prune = "backup.prune",
    Restore = "apim.restore",
    VerifyRestore = "apim.verify-restore",
    Compare = "apim.compare",
    GatewayHealth = "gateway.health-check",
    SetTtl = "dns.set-ttl",
    FlipCname = "dns.flip-cname",
    VerifyPropagation = "dns.verify-propagation",
    FlipPrivateCname = "private-dns.flip-cname",
    SetEndpoints = "traffic-manager.set-endpoints",
    SetOrigin = "front-door.set-origin",
    Approval = "approval",
    HttpRequest = "http.request",
    Command = "command",
    Notify = "notify",
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
pub const PRIVATE_DNS_ZONE: &str = "Microsoft.Network/privateDnsZones";
pub const TRAFFIC_MANAGER_PROFILE: &str = "Microsoft.Network/trafficManagerProfiles";
pub const FRONT_DOOR_PROFILE: &str = "Microsoft.Cdn/profiles";

/// How an API Management service reaches the storage account.
const ACCESS: FieldType = FieldType::OneOf(&["access-key", "system-assigned-identity", "user-assigned-identity"]);

const ACCESS_KEY_FIELDS: &[Field] = &[
    optional("env", FieldType::String, "environment variable that holds the key"),
    optional("file", FieldType::String, "file that holds the key"),
    optional("key_vault", FieldType::Url, "secret that holds the key: https://VAULT.vault.azure.net/secrets/NAME"),
];

const STATUS: FieldType = FieldType::Integer(100, 599);

impl ActionKind {
    /// Whether it decides where traffic goes; a new TTL only says how soon that is seen.
    pub fn moves_traffic(self) -> bool {
        self.entry().traffic.is_some() && self != Self::SetTtl
    }

    pub fn entry(self) -> &'static Entry {
        match self {
            Self::ConfirmOutage => &apim::CONFIRM_OUTAGE,
            Self::VerifyStandby => &apim::VERIFY_STANDBY,
            Self::Backup => &backup::BACKUP,
            Self::FindLatest => &backup::FIND_LATEST,
            Self::Prune => &backup::PRUNE,
            Self::Restore => &backup::RESTORE,
            Self::VerifyRestore => &apim::VERIFY_RESTORE,
            Self::Compare => &apim::COMPARE,
            Self::GatewayHealth => &gateway::GATEWAY_HEALTH,
            Self::SetTtl => &dns::SET_TTL,
            Self::FlipCname => &dns::FLIP_CNAME,
            Self::VerifyPropagation => &dns::VERIFY_PROPAGATION,
            Self::FlipPrivateCname => &dns::FLIP_PRIVATE_CNAME,
            Self::SetEndpoints => &traffic::SET_ENDPOINTS,
            Self::SetOrigin => &traffic::SET_ORIGIN,
            Self::Approval => &general::APPROVAL,
            Self::HttpRequest => &general::HTTP_REQUEST,
            Self::Command => &general::COMMAND,
            Self::Notify => &general::NOTIFY,
            Self::Wait => &general::WAIT,
        }
    }
}
