//! Site file: text → what it says.

use std::path::PathBuf;

use super::Site;
use crate::runbook::Problems;

/// A site file that was understood; its certificates are not read yet.
#[derive(Debug)]
pub struct SiteFile {
    /// To be read by the caller, relative to the site file's directory.
    pub ca_file: Option<PathBuf>,
    site: Site,
}

/// Reads a site file. Never stops at the first problem; never shows a secret.
pub fn parse(_file_name: &str, _bytes: &[u8]) -> Result<SiteFile, Problems> {
    unimplemented!()
}

impl SiteFile {
    /// The site, with the content of `ca_file`, which must be there when `ca_file` is named.
    pub fn into_site(self, _ca_file: Option<&[u8]>) -> Result<Site, Problems> {
        let _ = &self.site;
        unimplemented!()
    }
}

impl Site {
    /// A site file that `parse` reads back; `ca_file` is where the caller writes `ca_certificates`.
    pub fn to_yaml(&self, _ca_file: Option<&str>) -> String {
        unimplemented!()
    }
}
