//! Whose backup a blob is: its manifest tells, else its name. Pure.
//!
//! Several services may back up to one container, and the name of one may begin with another's (`contoso-apim` and
//! `contoso-apim-dr`): that a blob's name begins with a service's says nothing before the time that follows it.

use super::{manifest::Manifest, name_time};
use crate::runbook::ResourceId;

/// What the names of a service's backups begin with, as `apim.backup` makes them: its name and a dash; a time follows.
pub fn default_prefix(service: &ResourceId) -> String {
    format!("{}-", service.name())
}

/// Whether a backup, or its manifest, has the name that `apim.backup` makes of what ends with `prefix`.
pub fn is_named_after(prefix: &str, name: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(name_time::leads)
}

/// Whose backups are looked for.
#[derive(Clone, Debug)]
pub struct Owner<'a> {
    service: Option<&'a ResourceId>,
    prefix: &'a str,
    /// What a name without a manifest must begin with before the time. None: any name will do.
    named: Option<String>,
}

impl<'a> Owner<'a> {
    /// `names`: everything that was listed. Without `service` only the prefix tells: if a time follows it somewhere, then
    /// it ends with a service's name, and it does so everywhere.
    pub fn of<'b>(
        service: Option<&'a ResourceId>,
        prefix: Option<&'a str>,
        mut names: impl Iterator<Item = &'b str>,
    ) -> Self {
        let prefix = prefix.unwrap_or_default();
        let named = match service {
            Some(service) if prefix.is_empty() => Some(default_prefix(service)),
            // A prefix of somebody's own: the names below it are not ours to judge.
            Some(service) => prefix.ends_with(&default_prefix(service)).then(|| prefix.to_owned()),
            None => {
                (prefix.ends_with('-') && names.any(|name| is_named_after(prefix, name))).then(|| prefix.to_owned())
            }
        };
        Self { service, prefix, named }
    }

    /// Why a backup without a manifest is another's.
    pub fn refuses_name(&self, name: &str) -> Option<String> {
        let named = self.named.as_deref().filter(|named| !is_named_after(named, name))?;
        Some(format!("no manifest that was read says that it is of the service, and its name is not `{named}<time>`"))
    }

    /// Why a backup with this manifest is another's. A manifest that names no service leaves it to the name.
    pub fn refuses(&self, name: &str, manifest: Option<&Manifest>) -> Option<String> {
        let Some(told) = manifest.and_then(|manifest| manifest.service.as_deref()) else {
            return self.refuses_name(name);
        };
        let other = match self.service {
            Some(service) => is_other(told, service),
            None => is_sibling(self.prefix, told),
        };
        other.then(|| format!("its manifest says that it is of another service, {told}"))
    }
}

/// Whether a manifest's `service` is another one. Somebody else's manifest may have only a name there.
pub fn is_other(told: &str, service: &ResourceId) -> bool {
    match ResourceId::parse(told) {
        Ok(told) => told.folded() != service.folded(),
        Err(_) => !told.eq_ignore_ascii_case(service.name()),
    }
}

/// Whether a manifest's `service` only begins with the name before the final dash of `prefix`. One that has nothing to do
/// with the prefix says that the prefix is no service's name (`nightly-`).
fn is_sibling(prefix: &str, told: &str) -> bool {
    let name = told.rsplit('/').next().unwrap_or(told).to_ascii_lowercase();
    let prefix = prefix.rsplit('/').next().unwrap_or(prefix).to_ascii_lowercase();
    prefix.len() > 1 && prefix.ends_with('-') && name.starts_with(&prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "contoso-apim-";
    const OWN: &str = "contoso-apim-20261123T020000Z.apimbackup";
    const SIBLING: &str = "contoso-apim-dr-20261123T030000Z.apimbackup";

    fn id(name: &str) -> ResourceId {
        ResourceId::parse(&format!(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/{name}"
        ))
        .unwrap()
    }

    fn of(service: &str) -> Manifest {
        Manifest { service: Some(service.to_owned()), ..Manifest::default() }
    }

    #[test]
    fn without_a_manifest_the_time_after_the_name_tells() {
        let service = id("contoso-apim");
        for (service, prefix, names, name, refused) in [
            (Some(&service), Some(PREFIX), &[OWN][..], OWN, false),
            (Some(&service), Some(PREFIX), &[OWN], SIBLING, true),
            (Some(&service), Some(PREFIX), &[], "contoso-apim-weekly", true),
            (Some(&service), None, &[], OWN, false),
            (Some(&service), None, &[], "elsewhere-20261123", true),
            (Some(&service), Some("west/contoso-apim-"), &[], "west/contoso-apim-dr-20261123", true),
            (Some(&service), Some("west/contoso-apim-"), &[], "west/contoso-apim-20261123", false),
            (Some(&service), Some("nightly"), &[], "nightly.bak", false),
            (None, Some(PREFIX), &[OWN, SIBLING], SIBLING, true),
            (None, Some(PREFIX), &[OWN, SIBLING], OWN, false),
            (None, Some("contoso-"), &[OWN], OWN, false),
            (None, Some("nightly-"), &["nightly-a"], "nightly-a", false),
            (None, None, &[OWN, SIBLING], SIBLING, false),
        ] {
            let owner = Owner::of(service, prefix, names.iter().copied());
            assert_eq!(owner.refuses(name, None).is_some(), refused, "{prefix:?} {name}");
            assert_eq!(owner.refuses(name, Some(&Manifest::default())).is_some(), refused, "{prefix:?} {name}");
        }
    }

    #[test]
    fn a_manifest_tells_more_than_a_name() {
        let service = id("contoso-apim");
        let (own, sibling) = (service.to_string().to_uppercase(), id("contoso-apim-dr").to_string());
        for (service, prefix, told, refused) in [
            (Some(&service), Some(PREFIX), own.as_str(), false),
            (Some(&service), Some(PREFIX), "Contoso-Apim", false),
            (Some(&service), Some(PREFIX), sibling.as_str(), true),
            (Some(&service), Some("nightly-"), sibling.as_str(), true),
            (None, Some(PREFIX), own.as_str(), false),
            (None, Some(PREFIX), sibling.as_str(), true),
            (None, Some("nightly-"), own.as_str(), false),
            (None, None, sibling.as_str(), false),
        ] {
            let owner = Owner::of(service, prefix, [].into_iter());
            let why = owner.refuses("contoso-apim-weekly", Some(&of(told)));
            assert_eq!(why.is_some(), refused, "{prefix:?} {told}");
            assert!(why.is_none_or(|why| why.contains(told)));
        }
    }
}
