//! Every kind of mistake by its stable name.

macro_rules! codes {
    ($($code:ident = $name:literal),+ $(,)?) => {
        /// Stable, kebab-case name of a kind of mistake.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $($code),+
        }

        impl Code {
            /// In the order in which the reference tells them.
            pub const ALL: &'static [Self] = &[$(Self::$code),+];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$code => $name),+ }
            }
        }
    };
}

codes! {
    // The text itself.
    NotUtf8 = "not-utf8",
    TooLarge = "too-large",
    EmptyFile = "empty-file",
    SeveralDocuments = "several-documents",
    TabIndentation = "tab-indentation",
    UnclosedQuote = "unclosed-quote",
    UnclosedBracket = "unclosed-bracket",
    YamlSyntax = "yaml-syntax",
    UnknownAnchor = "unknown-anchor",
    TooManyAliases = "too-many-aliases",
    TooManyNodes = "too-many-nodes",
    TooDeep = "too-deep",
    TagNotSupported = "tag-not-supported",
    KeyNotText = "key-not-text",
    DuplicateKey = "duplicate-key",
    // Keys and values.
    UnknownKey = "unknown-key",
    MissingKey = "missing-key",
    WrongType = "wrong-type",
    EmptyValue = "empty-value",
    UnknownValue = "unknown-value",
    OutOfRange = "out-of-range",
    TooLong = "too-long",
    BadName = "bad-name",
    DurationWithoutUnit = "duration-without-unit",
    BadDuration = "bad-duration",
    BadResourceId = "bad-resource-id",
    WrongResourceKind = "wrong-resource-kind",
    BadHostname = "bad-hostname",
    BadUrl = "bad-url",
    VersionMissing = "version-missing",
    VersionUnsupported = "version-unsupported",
    // Steps.
    TooManySteps = "too-many-steps",
    DuplicateStep = "duplicate-step",
    ActionCount = "action-count",
    UnknownAction = "unknown-action",
    UnknownMode = "unknown-mode",
    UnknownStep = "unknown-step",
    SelfNeed = "self-need",
    RepeatedNeed = "repeated-need",
    Cycle = "cycle",
    DrillMovesTraffic = "drill-moves-traffic",
    // Expressions.
    ExpressionUnclosed = "expression-unclosed",
    ExpressionSyntax = "expression-syntax",
    ExpressionExpected = "expression-expected",
    ExpressionNotAllowed = "expression-not-allowed",
    UnknownName = "unknown-name",
    UnknownFilter = "unknown-filter",
    UnknownParameter = "unknown-parameter",
    UnknownAttribute = "unknown-attribute",
    UnknownOutput = "unknown-output",
    OutputNotNeeded = "output-not-needed",
    OutputLeftOut = "output-left-out",
    ParameterTypeMismatch = "parameter-type-mismatch",
    ParameterKindConflict = "parameter-kind-conflict",
    // Values for parameters.
    MissingParameter = "missing-parameter",
    // Site files.
    InlineSecret = "inline-secret",
    CredentialCount = "credential-count",
    BadChain = "bad-chain",
    EndpointsNotCustom = "endpoints-not-custom",
    PlainHttp = "plain-http",
    BadAddress = "bad-address",
    BadTimestamp = "bad-timestamp",
    BadCertificate = "bad-certificate",
    BadPublicKey = "bad-public-key",
    BadState = "bad-state",
    StateCredential = "state-credential",
    // Schedules.
    BadCron = "bad-cron",
    BadTimeZone = "bad-time-zone",
    JitterBeyondWindow = "jitter-beyond-window",
    JitterBeyondInterval = "jitter-beyond-interval",
    DuplicateJob = "duplicate-job",
}
