//! What a restore does *not* bring: the eight classes that Microsoft leaves out of a backup (azure-facts 1.4), by name.
//!
//! Kept beside each backup, so that a standby can be held against it when the active service cannot be asked any more.
//! Never holds a key, a value that is secret, or a certificate's private part.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize, de::value::StrDeserializer};
use serde_json::Value;

use crate::runbook::ResourceId;

use super::{
    Arm, AzureError,
    apim::{self, Service},
    paged,
};

/// Of Microsoft.Insights; diagnostic settings have never had another.
pub const INSIGHTS_API_VERSION: &str = "2021-05-01-preview";

/// What is left out of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InventoryClass {
    /// Usage data and reports.
    Analytics,
    /// Certificates of custom hostnames.
    HostnameCertificates,
    /// Certificates of authorities.
    CaCertificates,
    VirtualNetwork,
    ManagedIdentities,
    /// In Azure Monitor.
    DiagnosticSettings,
    /// Protocols and ciphers.
    CustomProperties,
    /// Pages and media of the developer portal.
    DeveloperPortal,
}

impl InventoryClass {
    pub const ALL: [Self; 8] = [
        Self::Analytics,
        Self::HostnameCertificates,
        Self::CaCertificates,
        Self::VirtualNetwork,
        Self::ManagedIdentities,
        Self::DiagnosticSettings,
        Self::CustomProperties,
        Self::DeveloperPortal,
    ];
}

/// For people, in the plural where there are many.
impl fmt::Display for InventoryClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Analytics => "analytics",
            Self::HostnameCertificates => "certificates of custom hostnames",
            Self::CaCertificates => "certificates of authorities",
            Self::VirtualNetwork => "virtual network settings",
            Self::ManagedIdentities => "managed identities",
            Self::DiagnosticSettings => "diagnostic settings",
            Self::CustomProperties => "protocols and ciphers",
            Self::DeveloperPortal => "developer portal content",
        })
    }
}

/// One thing of a class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InventoryItem {
    pub name: String,
    /// Two services that have it may still have it differently: a thumbprint, `False`, `External`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// For people; differs from service to service without meaning anything: a subnet's id, a date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// `api.contoso.com: AB12`.
impl fmt::Display for InventoryItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}: {value}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// One class of one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// In the order of their names.
    Items(Vec<InventoryItem>),
    /// It could not be read, and why: a lower-case fragment.
    Unread(String),
}

/// What a service has that no restore brings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Inventory(pub BTreeMap<InventoryClass, Held>);

/// A class that a newer version wrote is passed over, like every other key that is not known.
impl<'de> Deserialize<'de> for Inventory {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut all = BTreeMap::new();
        for (class, held) in BTreeMap::<String, Value>::deserialize(deserializer)? {
            let class = InventoryClass::deserialize(StrDeserializer::<serde_json::Error>::new(&class));
            if let (Ok(class), Ok(held)) = (class, Held::deserialize(held)) {
                all.insert(class, held);
            }
        }
        Ok(Self(all))
    }
}

/// Where two services differ in one class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryDifference {
    pub class: InventoryClass,
    pub difference: Difference,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// Items that only one has, or that both have with another value.
    Items { only_first: Vec<InventoryItem>, only_second: Vec<InventoryItem> },
    /// One of both is not known, and why.
    Unknown(String),
}

impl Inventory {
    /// What is known of a class; a class that an older version did not write is not known.
    pub fn of(&self, class: InventoryClass) -> Result<&[InventoryItem], &str> {
        match self.0.get(&class) {
            Some(Held::Items(items)) => Ok(items),
            Some(Held::Unread(why)) => Err(why),
            None => Err("it was not looked at"),
        }
    }

    /// The classes in which `self` and `other` differ, or may.
    pub fn diff(&self, other: &Self) -> Vec<InventoryDifference> {
        let differs = |class| {
            let difference = match (self.of(class), other.of(class)) {
                (Ok(first), Ok(second)) => {
                    let (only_first, only_second) = (missing_from(first, second), missing_from(second, first));
                    if only_first.is_empty() && only_second.is_empty() {
                        return None;
                    }
                    Difference::Items { only_first, only_second }
                }
                (Err(why), _) | (_, Err(why)) => Difference::Unknown(why.to_owned()),
            };
            Some(InventoryDifference { class, difference })
        };
        InventoryClass::ALL.into_iter().filter_map(differs).collect()
    }
}

fn missing_from(whole: &[InventoryItem], part: &[InventoryItem]) -> Vec<InventoryItem> {
    let same = |one: &InventoryItem, other: &InventoryItem| {
        one.name.eq_ignore_ascii_case(&other.name) && one.value == other.value
    };
    whole.iter().filter(|item| !part.iter().any(|other| same(item, other))).cloned().collect()
}

/// A diagnostic setting in Azure Monitor.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DiagnosticSetting {
    pub name: Option<String>,
    pub properties: Option<BTreeMap<String, Value>>,
}

/// Everything of a service that no restore brings. Two lists are asked for at the same time; what cannot be read is said in
/// its place, and the rest is there.
pub async fn collect(arm: &Arm, id: &ResourceId, service: &Service) -> Inventory {
    let (diagnostics, revisions) = tokio::join!(diagnostic_settings(arm, id), portal_revisions(arm, id));
    assemble(service, diagnostics.map_err(|it| it.to_string()), revisions.map_err(|it| it.to_string()))
}

/// The inventory of what was read, or why it could not be: the service, its diagnostic settings, and how often its
/// developer portal was published. Pure.
pub fn assemble(
    service: &Service,
    diagnostics: Result<Vec<DiagnosticSetting>, String>,
    revisions: Result<usize, String>,
) -> Inventory {
    let held = |answer: Result<Vec<InventoryItem>, String>| answer.map_or_else(Held::Unread, items_in_order);
    let shown = |settings: Vec<DiagnosticSetting>| settings.into_iter().filter_map(diagnostic_item).collect();
    let mut all = told_by_service(service);
    all.insert(InventoryClass::DiagnosticSettings, held(diagnostics.map(shown)));
    all.insert(InventoryClass::DeveloperPortal, held(revisions.map(|count| portal_items(service, count))));
    Inventory(all)
}

/// The classes that the service itself tells. Pure.
fn told_by_service(service: &Service) -> BTreeMap<InventoryClass, Held> {
    let Some(properties) = &service.properties else {
        let unread = || Held::Unread("the service told nothing of itself".to_owned());
        return InventoryClass::ALL.into_iter().map(|class| (class, unread())).collect();
    };
    let since = properties.created_at_utc.as_deref().and_then(|text| text.split('T').next());
    let analytics = item("usage data and reports", None, since.map(|day| format!("since {day}")));
    let hostnames = properties.hostname_configurations.iter().flatten().filter_map(|hostname| {
        let certificate = hostname.certificate.as_ref()?;
        let name = format!("{} {}", hostname.kind.as_deref().unwrap_or("Proxy"), hostname.host_name.as_deref()?);
        Some(item(name, certificate.thumbprint.clone(), certificate.expiry.map(|expiry| format!("expires {expiry}"))))
    });
    let authorities = properties.certificates.iter().flatten().filter_map(|authority| {
        let certificate = authority.certificate.as_ref()?;
        let name = certificate.subject.clone().or_else(|| certificate.thumbprint.clone())?;
        Some(item(name, certificate.thumbprint.clone(), authority.store_name.clone()))
    });
    let subnet = properties.virtual_network_configuration.as_ref().and_then(|it| it.subnet_resource_id.clone());
    let network = item("mode", Some(properties.virtual_network_type.clone().unwrap_or_else(|| "None".into())), subnet);
    let custom = properties.custom_properties.iter().flatten().map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        item(name.rsplit_once("ApiManagement.").map_or(name.as_str(), |(_, short)| short), Some(value), None)
    });
    [
        (InventoryClass::Analytics, vec![analytics]),
        (InventoryClass::HostnameCertificates, hostnames.collect()),
        (InventoryClass::CaCertificates, authorities.collect()),
        (InventoryClass::VirtualNetwork, vec![network]),
        (InventoryClass::ManagedIdentities, identities(service)),
        (InventoryClass::CustomProperties, custom.collect()),
    ]
    .into_iter()
    .map(|(class, items)| (class, items_in_order(items)))
    .collect()
}

fn identities(service: &Service) -> Vec<InventoryItem> {
    let Some(identity) = &service.identity else { return Vec::new() };
    let kind = identity.kind.as_deref().unwrap_or_default().to_ascii_lowercase();
    let system = kind
        .contains("systemassigned")
        .then(|| item("system-assigned", None, identity.principal_id.as_ref().map(|id| format!("principal {id}"))));
    let user = identity.user_assigned_identities.iter().flatten().map(|(id, one)| {
        let client = one.as_ref().and_then(|one| one.client_id.as_ref()).map(|id| format!("client {id}"));
        item(id.rsplit('/').next().unwrap_or(id), None, client)
    });
    system.into_iter().chain(user).collect()
}

/// A portal that was never published has nothing to lose.
fn portal_items(service: &Service, revisions: usize) -> Vec<InventoryItem> {
    let status = service.properties.as_ref().and_then(|properties| properties.developer_portal_status.clone());
    let published = if revisions == 0 { "never" } else { "published" };
    let note = (revisions > 0).then(|| format!("{revisions} revisions"));
    let status = status.map(|status| item("portal", Some(status), None));
    status.into_iter().chain([item("content", Some(published.to_owned()), note)]).collect()
}

fn diagnostic_item(setting: DiagnosticSetting) -> Option<InventoryItem> {
    let targets = ["workspaceId", "storageAccountId", "eventHubAuthorizationRuleId"];
    let properties = setting.properties.unwrap_or_default();
    let target = targets.into_iter().find_map(|key| properties.get(key)?.as_str().map(str::to_owned));
    Some(item(setting.name?, None, target.map(|target| format!("to {target}"))))
}

async fn diagnostic_settings(arm: &Arm, id: &ResourceId) -> Result<Vec<DiagnosticSetting>, AzureError> {
    let url = arm.url(id, "/providers/Microsoft.Insights/diagnosticSettings", INSIGHTS_API_VERSION);
    paged::list(arm, url, "the list of diagnostic settings").await
}

/// How often the developer portal was published; never where the tier has none.
async fn portal_revisions(arm: &Arm, id: &ResourceId) -> Result<usize, AzureError> {
    let url = arm.url(id, "/portalRevisions", apim::API_VERSION);
    match paged::list::<serde::de::IgnoredAny>(arm, url, "the list of portal revisions").await {
        Err(error) if error.code.as_deref() == Some("MethodNotAllowedInPricingTier") => Ok(0),
        answer => Ok(answer?.len()),
    }
}

fn item(name: impl Into<String>, value: Option<String>, note: Option<String>) -> InventoryItem {
    InventoryItem { name: name.into(), value, note }
}

fn items_in_order(mut items: Vec<InventoryItem>) -> Held {
    items.sort_unstable();
    Held::Items(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(value: &str, note: &str) -> Inventory {
        let items = vec![item("Protocols.Tls10", Some(value.to_owned()), Some(note.to_owned()))];
        let all = InventoryClass::ALL.into_iter().map(|class| (class, Held::Items(items.clone())));
        Inventory(all.collect())
    }

    #[test]
    fn services_differ_by_name_and_value_but_not_by_note() {
        assert_eq!(held("False", "here").diff(&held("False", "there")), []);
        let all = held("False", "").diff(&held("True", ""));
        assert_eq!(all.len(), 8);
        let Difference::Items { only_first, only_second } = &all[0].difference else { panic!("{all:?}") };
        assert_eq!(
            (only_first[0].to_string(), only_second[0].to_string()),
            ("Protocols.Tls10: False".into(), "Protocols.Tls10: True".into())
        );
    }

    #[test]
    fn what_could_not_be_read_is_not_taken_for_equal() {
        let mut one = held("False", "");
        one.0.insert(InventoryClass::Analytics, Held::Unread("forbidden".to_owned()));
        one.0.remove(&InventoryClass::DeveloperPortal);
        let unknown = |class, why: &str| InventoryDifference { class, difference: Difference::Unknown(why.to_owned()) };
        let expected = [
            unknown(InventoryClass::Analytics, "forbidden"),
            unknown(InventoryClass::DeveloperPortal, "it was not looked at"),
        ];
        assert_eq!(one.diff(&held("False", "")), expected);
        assert_eq!(held("False", "").diff(&one), expected);
    }

    #[test]
    fn it_is_written_by_class_and_read_again() {
        let mut one = held("False", "");
        one.0.insert(InventoryClass::Analytics, Held::Unread("forbidden".to_owned()));
        let text = serde_json::to_value(&one).unwrap();
        assert_eq!(text["analytics"], serde_json::json!({ "unread": "forbidden" }));
        assert_eq!(text["ca_certificates"]["items"][0]["name"], "Protocols.Tls10");
        let mut newer = text;
        newer["something_new"] = serde_json::json!([1]);
        assert_eq!(serde_json::from_value::<Inventory>(newer).unwrap(), one);
    }
}
