//! What to do when a credential gives no token. Pure.

use crate::site::Credential;

/// The part of `azure_identity`'s message that says what happened; the rest is a link to its own documentation.
pub(super) fn first_line(said: &str) -> String {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("To troubleshoot"));
    let text = lines.collect::<Vec<_>>().join(" ");
    // `XyzCredential authentication failed. ` repeats what the sentence around it says.
    let text = text.split_once("authentication failed.").map_or(text.as_str(), |(_, rest)| rest).trim();
    text.chars().take(LONGEST).collect()
}

/// Entra's answers run to a page.
const LONGEST: usize = 600;

/// Codes of Entra ID (AADSTS…) and of `azure_identity`, with what helps.
const KNOWN: [(&str, &str); 10] = [
    ("AADSTS7000215", "the client secret is wrong: use the secret's value, not its id"),
    ("AADSTS7000222", "the client secret has expired: make a new one and put it where the site file says"),
    (
        "AADSTS700027",
        "the certificate is not registered with the application: upload its public part (App registrations, Certificates & secrets)",
    ),
    ("AADSTS700016", "the application is not known in this tenant: check `client_id` and `tenant_id`"),
    ("AADSTS90002", "the tenant is not known: check `tenant_id` and the site's `cloud`"),
    ("AADSTS700024", "the federated token has expired: renew it, or use a credential that lives longer than a restore"),
    ("AADSTS70021", "no federated credential fits the token: check its issuer, subject and audience"),
    ("AADSTS500011", "the scope is not known in this tenant: check the site's `cloud` and `endpoints.scope`"),
    ("not found on PATH", "install the Azure CLI, or choose another credential in the site file"),
    ("az login", "run `az login` with the tenant of the subscription"),
];

pub(super) fn advise(credential: &Credential, said: &str) -> String {
    if let Some((_, advice)) = KNOWN.iter().find(|(code, _)| said.contains(code)) {
        return (*advice).to_owned();
    }
    match credential {
        Credential::AzureCli => "run `az login`, then `az account get-access-token` to see that it works",
        Credential::ManagedIdentity { .. } => {
            "check that this machine is in Azure and has the identity; elsewhere choose another credential in the site file"
        }
        Credential::WorkloadIdentity { .. } => {
            "check AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE, and the pod's service account"
        }
        Credential::ClientSecret { .. } => "check `tenant_id`, `client_id`, the secret and the site's `endpoints.authority`",
        Credential::ClientCertificate { .. } => {
            "check `tenant_id`, `client_id`, that the certificate is registered with the application, and the site's `endpoints.authority`"
        }
        Credential::AzurePipelines { .. } => {
            "check `tenant_id` and `client_id`, and the federated credential that the service connection names"
        }
        Credential::GithubActions { .. } => {
            "check `tenant_id` and `client_id`, and the application's federated credential for this repository and branch"
        }
        Credential::Chain(_) => "see each of its credentials",
        Credential::Token(_) => "put a new access token where the site file says",
        Credential::Simulated => "use it with --simulate",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_loses_its_frame() {
        let said = "AzureCliCredential authentication failed. ERROR: Please run 'az login' to setup account.\n\nTo troubleshoot, visit https://aka.ms/x#azure-cli";
        assert_eq!(first_line(said), "ERROR: Please run 'az login' to setup account.");
        assert_eq!(advise(&Credential::AzureCli, said), "run `az login` with the tenant of the subscription");
    }
}
