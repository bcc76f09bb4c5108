//! Arguments of what belongs to no resource of Azure.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::Deserialize;
use url::Url;

use super::{argv, not_empty, web_url};
use crate::{notify::Severity, runbook::span};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    #[serde(deserialize_with = "not_empty")]
    pub prompt: String,
    #[serde(default = "Approval::approvers")]
    pub approvers: u32,
}

impl Approval {
    fn approvers() -> u32 {
        1
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RequestMethod {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpCall {
    #[serde(deserialize_with = "web_url")]
    pub url: Url,
    #[serde(default)]
    pub method: RequestMethod,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub expect_status: Vec<u16>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    #[serde(deserialize_with = "argv")]
    pub argv: Vec<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    #[serde(default)]
    pub directory: Option<PathBuf>,
    #[serde(default)]
    pub read_only: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    #[serde(deserialize_with = "not_empty")]
    pub message: String,
    #[serde(default)]
    pub severity: Severity,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    #[serde(default, with = "span::optional")]
    pub duration: Option<Duration>,
    #[serde(default)]
    pub until: Option<jiff::Timestamp>,
}
