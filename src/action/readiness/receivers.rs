//! Who is told what happens: whether the secrets for it can be read here. Never sends anything, and drops what it reads.

use crate::{
    action::Context,
    azure::read_secret,
    plan::{codes, facts::Finding},
};

pub fn look(context: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (place, receiver) in context.site.notify.iter().enumerate() {
        let secrets = receiver.form.secrets();
        let unread =
            secrets.into_iter().find_map(|(what, secret)| read_secret(secret, &context.environment, what).err());
        findings.extend(unread.map(|error| {
            let name = receiver.form.name();
            let message = format!("notification {} ({name}) would not be sent: {error}", place + 1);
            codes::finding("notify-secret-missing", message)
        }));
    }
    findings
}
