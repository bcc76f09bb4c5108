//! Who types: the account that the site's access token names, else the operating system's user.
//!
//! Never fails, and never keeps a token: in an outage the identity provider may be down too.

use std::time::Duration;

use super::{Session, world};
use crate::{
    azure::{Account, AzureError},
    clock::Clock,
    run::Person,
    site::{Credential, Site},
};

/// Longest for a token that only tells a name.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whoever uses this machine, with what the site's credential says of them.
pub async fn identify(session: &Session, site: &Site) -> Person {
    let user = session.machine.user.clone();
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
