//! The arguments of each action, typed. The catalogue is the table of the same names; a test holds both together.
//!
//! Pure: values that expressions gave are judged here once more, because the check could not know them.

mod apim;
mod backup;
mod dns;
mod gateway;
mod general;
mod traffic;

use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};
use url::Url;

pub use apim::{Compare, ConfirmOutage, VerifyRestore, VerifyStandby};
pub use backup::{Access, AccessKey, Backup, FindLatest, Prune, Restore, TakeBackup, WhenBusy};
pub use dns::{FlipCname, SetTtl, VerifyPropagation};
pub use gateway::{GatewayHealth, GatewayPath};
pub use general::{Approval, Command, HttpCall, Notify, RequestMethod, Wait};
pub use traffic::{EndpointChange, EndpointKind, EndpointStatus, OriginChange, SetEndpoints, SetOrigin};

use crate::{
    run::{Disposition, StepError},
    runbook::{
        ActionKind, ResourceId,
        catalog::{
            APIM_SERVICE, DNS_ZONE, FRONT_DOOR_PROFILE, PRIVATE_DNS_ZONE, STORAGE_ACCOUNT, TRAFFIC_MANAGER_PROFILE,
        },
    },
};

/// Reads the arguments of `kind` without copying them.
///
/// # Errors
/// `invalid-arguments`, final: the message names the field and what is wrong with it.
pub fn read<'a, T: Deserialize<'a>>(kind: ActionKind, arguments: &'a Map<String, Value>) -> Result<T, StepError> {
    T::deserialize(de::IntoDeserializer::<serde_json::Error>::into_deserializer(arguments)).map_err(|error| {
        StepError::new(
            Disposition::Final,
            "invalid-arguments",
            format!("the arguments of {kind} cannot be used: {error}"),
            format!(
                "correct them in the runbook or in the parameters; `lifeboat schema` describes every field of {kind}"
            ),
        )
    })
}

fn resource_of<'de, D: Deserializer<'de>>(deserializer: D, kind: &str) -> Result<ResourceId, D::Error> {
    let id = ResourceId::deserialize(deserializer)?;
    if id.is_of(kind) { Ok(id) } else { Err(de::Error::custom(format!("`{id}` is not the id of a {kind}"))) }
}

fn apim_service<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ResourceId, D::Error> {
    resource_of(deserializer, APIM_SERVICE)
}

fn optional_apim_service<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ResourceId>, D::Error> {
    match Option::<ResourceId>::deserialize(deserializer)? {
        Some(id) if id.is_of(APIM_SERVICE) => Ok(Some(id)),
        Some(id) => Err(de::Error::custom(format!("`{id}` is not the id of a {APIM_SERVICE}"))),
        None => Ok(None),
    }
}

fn storage_account<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ResourceId, D::Error> {
    resource_of(deserializer, STORAGE_ACCOUNT)
}

fn dns_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ResourceId, D::Error> {
    resource_of(deserializer, DNS_ZONE)
}

fn any_dns_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ResourceId, D::Error> {
    let id = ResourceId::deserialize(deserializer)?;
    if id.is_of(PRIVATE_DNS_ZONE) || id.is_of(DNS_ZONE) {
        Ok(id)
    } else {
        Err(de::Error::custom(format!("`{id}` is not the id of a {DNS_ZONE} or a {PRIVATE_DNS_ZONE}")))
    }
}

fn traffic_manager_profile<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ResourceId, D::Error> {
    resource_of(deserializer, TRAFFIC_MANAGER_PROFILE)
}

fn front_door_profile<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ResourceId, D::Error> {
    resource_of(deserializer, FRONT_DOOR_PROFILE)
}

fn not_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() { Err(de::Error::custom("a text must not be empty")) } else { Ok(text) }
}

/// Lower case, without a trailing dot, as it is compared and sent.
fn hostname<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let name = text.trim_end_matches('.').to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= 253 && name.split('.').all(label) {
        Ok(name)
    } else {
        Err(de::Error::custom(format!("`{text}` is not a host name")))
    }
}

fn absolute_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    if path.starts_with('/') {
        Ok(path)
    } else {
        Err(de::Error::custom(format!("`{path}` is not a path; it begins with a slash")))
    }
}

fn web_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        Ok(_) | Err(_) => Err(de::Error::custom(format!("`{text}` is not an http:// or https:// URL"))),
    }
}

fn argv<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let argv = Vec::<String>::deserialize(deserializer)?;
    match argv.first() {
        Some(program) if !program.is_empty() => Ok(argv),
        Some(_) | None => Err(de::Error::custom("`argv` names no program")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::runbook::catalog::{Field, FieldType};

    /// A value that fits a shape of the catalogue.
    fn example(field: &Field, shape: &FieldType) -> Value {
        match shape {
            FieldType::String if field.name == "path" => json!("/orders"),
            FieldType::String if field.name == "until" => json!("2026-11-23T03:00:00Z"),
            FieldType::String => json!("text"),
            FieldType::Integer(low, _) => json!(low),
            FieldType::Boolean => json!(true),
            FieldType::Duration => json!("90s"),
            FieldType::ResourceId(kind) => json!(format!("/subscriptions/s/resourceGroups/g/providers/{kind}/n")),
            FieldType::Hostname => json!("api.contoso.com"),
            FieldType::Url if field.name == "key_vault" => json!("https://kv.vault.azure.net/secrets/key"),
            FieldType::Url => json!("https://example.com/hook"),
            FieldType::OneOf(names) => json!(names[0]),
            FieldType::List(inner) => json!([example(field, inner)]),
            FieldType::Map(inner) => json!({ "key": example(field, inner) }),
            FieldType::Record(fields) => {
                fields.iter().map(|inner| (inner.name.to_owned(), example(inner, &inner.shape))).collect()
            }
            FieldType::Object => json!({ "account": "a", "container": "c", "name": "b" }),
        }
    }

    fn parses(kind: ActionKind, arguments: &Map<String, Value>) -> Result<(), StepError> {
        match kind {
            ActionKind::ConfirmOutage => read::<ConfirmOutage>(kind, arguments).map(drop),
            ActionKind::VerifyStandby => read::<VerifyStandby>(kind, arguments).map(drop),
            ActionKind::Backup => read::<TakeBackup>(kind, arguments).map(drop),
            ActionKind::FindLatest => read::<FindLatest>(kind, arguments).map(drop),
            ActionKind::Prune => read::<Prune>(kind, arguments).map(drop),
            ActionKind::Restore => read::<Restore>(kind, arguments).map(drop),
            ActionKind::VerifyRestore => read::<VerifyRestore>(kind, arguments).map(drop),
            ActionKind::Compare => read::<Compare>(kind, arguments).map(drop),
            ActionKind::GatewayHealth => read::<GatewayHealth>(kind, arguments).map(drop),
            ActionKind::SetTtl => read::<SetTtl>(kind, arguments).map(drop),
            ActionKind::FlipCname | ActionKind::FlipPrivateCname => read::<FlipCname>(kind, arguments).map(drop),
            ActionKind::SetEndpoints => read::<SetEndpoints>(kind, arguments).map(drop),
            ActionKind::SetOrigin => read::<SetOrigin>(kind, arguments).map(drop),
            ActionKind::VerifyPropagation => read::<VerifyPropagation>(kind, arguments).map(drop),
            ActionKind::Approval => read::<Approval>(kind, arguments).map(drop),
            ActionKind::HttpRequest => read::<HttpCall>(kind, arguments).map(drop),
            ActionKind::Command => read::<Command>(kind, arguments).map(drop),
            ActionKind::Notify => read::<Notify>(kind, arguments).map(drop),
            ActionKind::Wait => read::<Wait>(kind, arguments).map(drop),
        }
    }

    #[test]
    fn the_catalogue_and_the_typed_arguments_are_one() {
        for &kind in ActionKind::ALL {
            let fields = kind.entry().fields;
            let whole: Map<String, Value> =
                fields.iter().map(|field| (field.name.to_owned(), example(field, &field.shape))).collect();
            parses(kind, &whole).unwrap_or_else(|error| panic!("{kind} with every field: {error}"));

            let least: Map<String, Value> = fields
                .iter()
                .filter(|field| field.required)
                .map(|field| (field.name.to_owned(), whole[field.name].clone()))
                .collect();
            parses(kind, &least).unwrap_or_else(|error| panic!("{kind} with required fields only: {error}"));

            let mut more = whole.clone();
            more.insert("surprise".to_owned(), json!(1));
            assert_eq!(parses(kind, &more).unwrap_err().code, "invalid-arguments", "{kind} took an unknown field");

            for field in fields {
                let mut fewer = whole.clone();
                fewer.remove(field.name);
                assert_eq!(parses(kind, &fewer).is_err(), field.required, "{kind} without {}", field.name);
                let mut wrong = whole.clone();
                wrong.insert(field.name.to_owned(), json!([[]]));
                assert!(parses(kind, &wrong).is_err(), "{kind} took nonsense for {}", field.name);
            }
        }
    }

    #[test]
    fn every_value_of_a_choice_is_known() {
        for &kind in ActionKind::ALL {
            let fields = kind.entry().fields;
            let whole: Map<String, Value> =
                fields.iter().map(|field| (field.name.to_owned(), example(field, &field.shape))).collect();
            for field in fields {
                let FieldType::OneOf(names) = field.shape else { continue };
                for name in names {
                    let mut one = whole.clone();
                    one.insert(field.name.to_owned(), json!(name));
                    parses(kind, &one).unwrap_or_else(|error| panic!("{kind} with {}: {name}: {error}", field.name));
                }
            }
        }
    }

    #[test]
    fn values_that_expressions_gave_are_judged() {
        for (kind, arguments, said) in [
            (ActionKind::Wait, json!({ "duration": "5" }), "has no unit"),
            (
                ActionKind::ConfirmOutage,
                json!({ "service": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/dnsZones/z" }),
                "is not the id of a Microsoft.ApiManagement/service",
            ),
            (ActionKind::HttpRequest, json!({ "url": "ftp://x" }), "not an http:// or https:// URL"),
            (ActionKind::Command, json!({ "argv": [] }), "names no program"),
        ] {
            let error = parses(kind, arguments.as_object().unwrap()).unwrap_err();
            assert!(error.message.contains(said), "{}", error.message);
            assert!(!error.hint.is_empty());
        }
    }
}
