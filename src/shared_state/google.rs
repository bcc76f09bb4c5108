//! Google Cloud Storage: with the key of a service account, else with the application default credentials, else with the
//! account of the machine.

use std::sync::Arc;

use object_store::{ObjectStore, gcp::GoogleCloudStorageBuilder};
use secrecy::ExposeSecret;

use super::{
    open::{Access, Unusable},
    transport::{Transport, no_repeats},
};
use crate::{
    azure::read_text,
    site::{Bucket, Google, StateCredential},
};

pub(super) fn open(
    bucket: &Bucket,
    credential: Option<&StateCredential>,
    access: &Access,
) -> Result<Arc<dyn ObjectStore>, Unusable> {
    let unset = Google::default();
    let google = match credential {
        Some(StateCredential::Google(google)) => google,
        Some(
            StateCredential::Site | StateCredential::Sas(_) | StateCredential::AccountKey(_) | StateCredential::Aws(_),
        )
        | None => &unset,
    };
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(&bucket.name)
        .with_retry(no_repeats())
        .with_http_connector(Transport { http: access.http.clone(), tokens: None });
    if let Some(reference) = &google.service_account {
        let key = read_text(reference, &access.environment, "the service account's key")?;
        // Looked at here, since the library's own error would quote a piece of it.
        if serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(key.expose_secret()).is_err() {
            let hint = "store the JSON file that `gcloud iam service-accounts keys create` writes";
            return Err(Unusable::new("the service account's key is not JSON", hint));
        }
        builder = builder.with_service_account_key(key.expose_secret());
    } else if let Some(path) = access.environment.get("GOOGLE_APPLICATION_CREDENTIALS") {
        builder = builder.with_application_credentials(path);
    }
    if let Some(endpoint) = &google.endpoint {
        builder = builder.with_base_url(endpoint);
    }
    let store = builder.build().map_err(|error| {
        Unusable::new(
            format!("the bucket `{}` cannot be used: {error}", bucket.name),
            "name the key of a service account in the site's `state_credential`, or run `gcloud auth application-default \
             login`; other kinds of credential files are not read",
        )
    })?;
    Ok(Arc::new(store))
}
