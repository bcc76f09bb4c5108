//! Site → text that `parse` reads back, for `lifeboat sim --site-out`. Never holds a secret, as a site never does.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{ApprovalRules, Aws, Cloud, Credential, Google, Receiver, SecretReference, Site, StateCredential};

impl Site {
    /// A site file. `ca_file`: where the caller writes `ca_certificates`, if there are any.
    pub fn to_yaml(&self, ca_file: Option<&str>) -> String {
        let mut text = String::from("version: 1\n");
        // JSON is YAML; one line a key is easy to read and needs no second writer.
        let mut line = |key: &str, value: &Value| writeln!(text, "{key}: {value}").expect("a string takes everything");
        line("cloud", &json!(self.cloud));
        if self.cloud == Cloud::Custom {
            line("endpoints", &json!(self.endpoints));
        }
        line("credential", &credential(&self.credential));
        if let Some(file) = ca_file {
            line("tls", &json!({ "ca_file": file }));
        }
        line("dns", &json!(self.dns));
        if let Some(state) = &self.state {
            line("state", &json!(state));
        }
        if let Some(credential) = &self.state_credential {
            line("state_credential", &state_credential(credential));
        }
        if let Some(ApprovalRules { key, trusted }) = &self.approval {
            let mut rules = Map::new();
            rules.extend(key.as_ref().map(|key| ("key".to_owned(), reference(key))));
            rules.insert("trusted".to_owned(), json!(trusted));
            line("approval", &Value::from(rules));
        }
        let notify: Vec<Value> = self.notify.iter().map(Receiver::to_json).collect();
        line("notify", &json!(notify));
        if let Some(rehearsal) = &self.rehearsal {
            line("rehearsal", &json!(rehearsal));
        }
        line("parameters", &json!(self.parameters));
        if let Some(simulated) = &self.simulated {
            line("simulated", &json!(simulated));
        }
        text
    }
}

/// `{ NAME: { … } }`, without the fields that are absent.
fn form(name: &str, fields: &[(&str, Option<Value>)]) -> Value {
    let fields = fields.iter().filter_map(|(key, value)| Some(((*key).to_owned(), value.clone()?)));
    json!({ name: fields.collect::<Map<_, _>>() })
}

fn text(text: Option<&String>) -> Option<Value> {
    text.map(|text| json!(text))
}

fn state_credential(of: &StateCredential) -> Value {
    match of {
        StateCredential::Site => form("site", &[]),
        StateCredential::Sas(sas) => json!({ "sas": reference(sas) }),
        StateCredential::AccountKey(key) => json!({ "account-key": reference(key) }),
        StateCredential::Aws(Aws { region, keys, endpoint }) => form(
            "aws",
            &[
                ("region", text(region.as_ref())),
                ("access_key_id", keys.as_ref().map(|keys| reference(&keys.access_key_id))),
                ("secret_access_key", keys.as_ref().map(|keys| reference(&keys.secret_access_key))),
                ("session_token", keys.as_ref().and_then(|keys| keys.session_token.as_ref()).map(reference)),
                ("endpoint", text(endpoint.as_ref())),
            ],
        ),
        StateCredential::Google(Google { service_account, endpoint }) => form(
            "google",
            &[("service_account", service_account.as_ref().map(reference)), ("endpoint", text(endpoint.as_ref()))],
        ),
    }
}

fn credential(of: &Credential) -> Value {
    match of {
        Credential::AzureCli => form("azure-cli", &[]),
        Credential::ManagedIdentity { client_id, resource_id } => form(
            "managed-identity",
            &[("client_id", text(client_id.as_ref())), ("resource_id", text(resource_id.as_ref()))],
        ),
        Credential::WorkloadIdentity { tenant_id, client_id, token_file } => form(
            "workload-identity",
            &[
                ("tenant_id", text(tenant_id.as_ref())),
                ("client_id", text(client_id.as_ref())),
                ("token_file", token_file.as_ref().map(|file| json!(file))),
            ],
        ),
        Credential::ClientSecret { tenant_id, client_id, secret } => form(
            "client-secret",
            &[
                ("tenant_id", Some(json!(tenant_id))),
                ("client_id", Some(json!(client_id))),
                ("secret", Some(reference(secret))),
            ],
        ),
        Credential::ClientCertificate { tenant_id, client_id, certificate, password } => form(
            "client-certificate",
            &[
                ("tenant_id", Some(json!(tenant_id))),
                ("client_id", Some(json!(client_id))),
                ("certificate", Some(reference(certificate))),
                ("password", password.as_ref().map(reference)),
            ],
        ),
        Credential::AzurePipelines { tenant_id, client_id, service_connection_id } => form(
            "azure-pipelines",
            &[
                ("tenant_id", Some(json!(tenant_id))),
                ("client_id", Some(json!(client_id))),
                ("service_connection_id", Some(json!(service_connection_id))),
            ],
        ),
        Credential::GithubActions { tenant_id, client_id } => {
            form("github-actions", &[("tenant_id", Some(json!(tenant_id))), ("client_id", Some(json!(client_id)))])
        }
        Credential::Chain(links) => json!({ "chain": links.iter().map(credential).collect::<Vec<_>>() }),
        Credential::Token(token) => json!({ "token": reference(token) }),
        Credential::Simulated => form("simulated", &[]),
    }
}

fn reference(reference: &SecretReference) -> Value {
    match reference {
        SecretReference::Env(name) => json!({ "env": name }),
        SecretReference::File(path) => json!({ "file": path }),
    }
}

#[cfg(test)]
mod tests {
    use crate::site::parse;

    fn round_trip(text: &str) {
        let site = parse("site.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        let site = site.into_site(None).unwrap();
        let written = site.to_yaml(None);
        let again = parse("again.yaml", written.as_bytes())
            .unwrap_or_else(|problems| panic!("{written}{}", problems.render(false)));
        assert_eq!(again.into_site(None).unwrap(), site, "{written}");
    }

    #[test]
    fn what_is_written_is_read_back() {
        for credential in [
            "{ azure-cli: {} }",
            "{ managed-identity: }",
            "{ managed-identity: { client_id: abc } }",
            "{ workload-identity: { token_file: /var/token } }",
            "{ client-secret: { tenant_id: t, client_id: c, secret: { env: NAME } } }",
            "{ token: { file: /run/token } }",
            "{ client-certificate: { tenant_id: t, client_id: c, certificate: { file: app.pem } } }",
            "{ client-certificate: { tenant_id: t, client_id: c, certificate: { env: PEM }, password: { env: P } } }",
            "{ azure-pipelines: { tenant_id: t, client_id: c, service_connection_id: s } }",
            "{ github-actions: { tenant_id: t, client_id: c } }",
            "{ chain: [{ managed-identity: }, { azure-cli: {} }, { token: { env: T } }] }",
        ] {
            round_trip(&format!(
                "version: 1\ncredential: {credential}\nparameters: {{ a: [1, \"x\\n\\u00e4'\"], b: true }}\n"
            ));
        }
        for (state, credential) in [
            ("https://stdr.blob.core.windows.net/runs/prod", "{ site: }"),
            ("https://stdr.blob.core.windows.net/runs", "{ sas: { env: SAS } }"),
            ("http://127.0.0.1:10000/devstoreaccount1/runs", "{ account-key: { file: /run/key } }"),
            ("s3://contoso-dr/runs", "{ aws: }"),
            (
                "s3://contoso-dr",
                "{ aws: { region: eu-central-1, access_key_id: { env: A }, secret_access_key: { env: B }, \
                 session_token: { file: t }, endpoint: \"https://s3.example.com\" } }",
            ),
            ("gs://contoso-dr/runs", "{ google: { service_account: { file: key.json } } }"),
            ("gs://contoso-dr/runs", "{ google: { endpoint: \"http://127.0.0.1:4443\" } }"),
        ] {
            round_trip(&format!(
                "version: 1\ncredential: {{ azure-cli: {{}} }}\nstate: {state}\nstate_credential: {credential}\n"
            ));
        }
        round_trip(
            "version: 1\ncredential: { azure-cli: {} }\nnotify:\n- { kind: webhook, url: { env: U }, token: { file: t } }\n\
             - { kind: slack, url: { file: s }, on: [finished, in-doubt], deadline: 1m30s }\n\
             - { kind: teams, url: { env: T } }\n- { kind: pagerduty, routing_key: { env: K } }\n\
             - { kind: pagerduty, routing_key: { env: K }, url: { env: U } }\n",
        );
        round_trip(
            "version: 1\ncloud: custom\ncredential: { simulated: {} }\n\
             endpoints: { resource_manager: \"http://127.0.0.1:8080/\", blob: \"http://127.0.0.1:1/{account}\" }\n\
             dns: { resolvers: [1.1.1.1, \"[::1]:5353\"], authoritative: { Contoso.com.: [\"127.0.0.1:5301\"] } }\n\
             state: /tmp/x\nrehearsal: { within: 90d }\nsimulated: { anchor: 2026-01-31T12:00:00Z, since: 2026-01-31T13:00:00.5Z, speed: 60 }\n",
        );
    }
}
