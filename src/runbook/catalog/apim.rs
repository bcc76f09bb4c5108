//! API Management: what is observed, compared and verified.

use super::{APIM_SERVICE, ActionKind, Effect, Entry, FieldType, optional, output, required, seconds};

const TIERS: FieldType = FieldType::OneOf(&["Developer", "Basic", "Standard", "Premium"]);

pub(super) static CONFIRM_OUTAGE: Entry = Entry {
    kind: ActionKind::ConfirmOutage,
    summary: "observe the active service twice and refuse if it looks alive",
    fields: &[
        required("service", FieldType::ResourceId(APIM_SERVICE), "the API Management service that is believed lost"),
        optional("hold_off", FieldType::Duration, "time between the two observations; default 120s"),
    ],
    outputs: &[output("evidence", "what each of the two observations saw")],
    effect: Effect::ReadOnly,
    timeout: seconds(10 * 60),
    typical: seconds(130),
    typical_source: "two observations, hold_off apart",
    traffic: None,
};

pub(super) static VERIFY_STANDBY: Entry = Entry {
    kind: ActionKind::VerifyStandby,
    summary: "prove that the standby can take a restore of the active service's backup",
    fields: &[
        required("standby", FieldType::ResourceId(APIM_SERVICE), "the service that takes over"),
        optional(
            "active",
            FieldType::ResourceId(APIM_SERVICE),
            "the service that is leaving; compared when it answers",
        ),
        optional(
            "backup",
            FieldType::Object,
            "a backup chosen by backup.find-latest; its manifest stands in for the active service",
        ),
        optional(
            "expect_tier",
            TIERS,
            "tier to compare with when neither the active service nor a manifest can be read",
        ),
    ],
    outputs: &[
        output("gateway_host", "host name of the standby's own gateway, the target of the CNAME"),
        output("gateway_url", "URL of the standby's own gateway"),
        output("tier", "the standby's tier"),
        output("location", "the standby's region"),
        output("compared_with", "what the tier was compared with: active, manifest or expect_tier"),
    ],
    effect: Effect::ReadOnly,
    timeout: seconds(2 * 60),
    typical: seconds(5),
    typical_source: "a few reads",
    traffic: None,
};

pub(super) static VERIFY_RESTORE: Entry = Entry {
    kind: ActionKind::VerifyRestore,
    summary: "prove that a restored service holds what the backup's manifest names",
    fields: &[
        required("service", FieldType::ResourceId(APIM_SERVICE), "the service that was restored"),
        required(
            "backup",
            FieldType::Object,
            "the backup, from backup.find-latest; its manifest is what is compared with",
        ),
    ],
    outputs: &[
        output("counts", "how many APIs, products, subscriptions and named values the service has"),
        output("missing", "names that the manifest has and the service has not, by kind"),
        output("unexpected", "names that the service has and the manifest has not, by kind"),
    ],
    effect: Effect::ReadOnly,
    timeout: seconds(5 * 60),
    typical: seconds(10),
    typical_source: "a few lists",
    traffic: None,
};

pub(super) static COMPARE: Entry = Entry {
    kind: ActionKind::Compare,
    summary: "compare the configuration of two services by name: what only one of them has",
    fields: &[
        required("service", FieldType::ResourceId(APIM_SERVICE), "the service that is live"),
        required("with", FieldType::ResourceId(APIM_SERVICE), "the service that it is compared with"),
    ],
    outputs: &[
        output("only_in_service", "names that only the first has, by kind"),
        output("only_in_other", "names that only the second has, by kind"),
        output("differences", "how many names differ"),
        output("told", "the same in one sentence"),
    ],
    effect: Effect::ReadOnly,
    timeout: seconds(5 * 60),
    typical: seconds(10),
    typical_source: "a few lists",
    traffic: None,
};
