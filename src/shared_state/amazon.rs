//! S3, Amazon's own and others: with the keys that the site names, else with what the environment and the machine give.

use std::sync::Arc;

use object_store::{
    ObjectStore,
    aws::{AmazonS3Builder, AmazonS3ConfigKey as Setting},
};
use secrecy::ExposeSecret;

use super::{
    open::{Access, Unusable},
    transport::{Transport, no_repeats},
};
use crate::{
    azure::read_secret,
    site::{Aws, Bucket, StateCredential},
};

/// What every tool for AWS reads, in the order in which one wins over those before it. Profiles of `~/.aws` are not
/// read: `aws configure export-credentials --format env` turns one into variables.
const SETTINGS: [(&str, Setting); 8] = [
    ("AWS_DEFAULT_REGION", Setting::Region),
    ("AWS_REGION", Setting::Region),
    ("AWS_ENDPOINT_URL", Setting::Endpoint),
    ("AWS_ENDPOINT_URL_S3", Setting::S3Endpoint),
    ("AWS_ENDPOINT_URL_STS", Setting::StsEndpoint),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", Setting::ContainerCredentialsRelativeUri),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", Setting::ContainerCredentialsFullUri),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Setting::ContainerAuthorizationTokenFile),
];

/// Left out where the site names keys of its own: two halves of different keys would be worse than none.
const KEYS: [(&str, Setting); 6] = [
    ("AWS_ACCESS_KEY_ID", Setting::AccessKeyId),
    ("AWS_SECRET_ACCESS_KEY", Setting::SecretAccessKey),
    ("AWS_SESSION_TOKEN", Setting::Token),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", Setting::WebIdentityTokenFile),
    ("AWS_ROLE_ARN", Setting::RoleArn),
    ("AWS_ROLE_SESSION_NAME", Setting::RoleSessionName),
];

pub(super) fn open(
    bucket: &Bucket,
    credential: Option<&StateCredential>,
    access: &Access,
) -> Result<Arc<dyn ObjectStore>, Unusable> {
    let unset = Aws::default();
    let aws = match credential {
        Some(StateCredential::Aws(aws)) => aws,
        Some(
            StateCredential::Site
            | StateCredential::Sas(_)
            | StateCredential::AccountKey(_)
            | StateCredential::Google(_),
        )
        | None => &unset,
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&bucket.name)
        .with_retry(no_repeats())
        .with_http_connector(Transport { http: access.http.clone(), tokens: None });
    let from_environment = SETTINGS.iter().chain(if aws.keys.is_none() { KEYS.as_slice() } else { &[] });
    for (variable, setting) in from_environment {
        if let Some(value) = access.environment.get(variable) {
            builder = builder.with_config(*setting, value);
        }
    }
    if let Some(region) = &aws.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &aws.endpoint {
        builder = builder.with_config(Setting::S3Endpoint, endpoint);
    }
    if let Some(keys) = &aws.keys {
        let read = |reference, what| read_secret(reference, &access.environment, what);
        builder = builder
            .with_access_key_id(read(&keys.access_key_id, "the id of the access key")?.expose_secret())
            .with_secret_access_key(read(&keys.secret_access_key, "the secret of the access key")?.expose_secret());
        if let Some(token) = &keys.session_token {
            builder = builder.with_token(read(token, "the session token")?.expose_secret());
        }
    }
    let is_amazons = [Setting::Endpoint, Setting::S3Endpoint].iter().all(|key| builder.get_config_value(key).is_none());
    if is_amazons && builder.get_config_value(&Setting::Region).is_none() {
        return Err(Unusable::new(
            format!("the region of the bucket `{}` is not known", bucket.name),
            "write `state_credential: { aws: { region: … } }` into the site file, or set AWS_REGION",
        ));
    }
    let store = builder.build().map_err(|error| {
        Unusable::new(
            format!("the bucket `{}` cannot be used: {error}", bucket.name),
            "name keys in the site's `state_credential`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY both",
        )
    })?;
    Ok(Arc::new(store))
}
