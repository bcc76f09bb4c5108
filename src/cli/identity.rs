//! Who types: the account that the site's access token names, else the operating system's user.
//!
//! Never fails, and never keeps a token: in an outage the identity provider may be down too.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::{Failure, Session, world};
use crate::{
    azure::{Account, AzureError, read_text},
    clock::Clock,
    run::{Person, approval::Key},
    site::{Credential, Site},
};

/// Longest for a token that only tells a name.
const PATIENCE: Duration = Duration::from_secs(10);

/// What approvals are signed with here; none: the site names no key.
///
/// # Errors
/// It names one that cannot be used.
pub fn signing_key(session: &Session, site: &Site) -> Result<Option<Key>, Failure> {
    const WHAT: &str = "the key that approvals are signed with";
    let Some(reference) = site.approval.as_ref().and_then(|rules| rules.key.as_ref()) else { return Ok(None) };
    let text = read_text(reference, &session.machine.environment, WHAT)
        .map_err(|error| Failure::refused(error.to_string(), error.hint.unwrap_or_default()))?;
    let key = Key::of_pem(text.expose_secret());
    key.map(Some).map_err(|problem| Failure::refused(format!("{WHAT}: {problem}"), problem.hint()))
}

/// Whoever uses this machine, with what the site's credential says of them.
pub async fn identify(session: &Session, site: &Site) -> Person {
    let key = signing_key(session, site).ok().flatten().map(|key| key.public());
    let user = Person { key, ..session.machine.user.clone() };
    if site.credential == Credential::Simulated {
        return user;
    }
    match account(session, site).await {
        // Behind an application anybody may stand: it is no person.
        Ok(Some(Account { name, is_person: true, verified })) => Person { account: Some(name), verified, ..user },
        Ok(Some(Account { is_person: false, .. }) | None) => user,
        Err(error) => {
            tracing::info!(%error, "no token tells who this is");
            user
        }
    }
}

async fn account(session: &Session, site: &Site) -> Result<Option<Account>, String> {
    let access = world::access(session, Some(site))?;
    let asked = access.tokens.account(&site.endpoints.scope);
    tokio::select! {
        told = asked => told.map_err(|error: AzureError| error.to_string()),
        () = Clock::Wall.sleep(PATIENCE) => Err(format!("no token within {} s", PATIENCE.as_secs())),
    }
}
