//! Files that the world keeps: its snapshot, the log of requests, and a good token for clients.
//!
//! A failure after the first write is logged: a simulator whose disk is full still answers.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::observe::LoggedRequest;

#[derive(Debug, Default)]
pub(super) struct Sinks {
    snapshot: Option<PathBuf>,
    log: Option<File>,
    token: Option<PathBuf>,
}

impl Sinks {
    pub fn persists(&self) -> bool {
        self.snapshot.is_some()
    }

    pub fn persist_to(&mut self, path: &Path, snapshot: &serde_json::Value) -> io::Result<()> {
        write_private(path, snapshot.to_string().as_bytes())?;
        self.snapshot = Some(path.to_owned());
        Ok(())
    }

    pub fn persist(&mut self, snapshot: &serde_json::Value) {
        let Some(path) = &self.snapshot else { return };
        if let Err(error) = write_private(path, snapshot.to_string().as_bytes()) {
            tracing::error!(path = %path.display(), %error, "the simulator's state could not be written");
        }
    }

    pub fn log_to(&mut self, path: &Path) -> io::Result<()> {
        self.log = Some(OpenOptions::new().create(true).append(true).open(path)?);
        Ok(())
    }

    pub fn log(&mut self, request: &LoggedRequest) {
        let Some(file) = &mut self.log else { return };
        let mut line = serde_json::to_vec(request).expect("a logged request is plain data");
        line.push(b'\n');
        if let Err(error) = file.write_all(&line) {
            tracing::error!(%error, "the simulator's log of requests could not be written");
        }
    }

    pub fn keep_token_in(&mut self, path: &Path, token: &str) -> io::Result<()> {
        write_private(path, token.as_bytes())?;
        self.token = Some(path.to_owned());
        Ok(())
    }

    pub fn write_token(&mut self, token: &str) {
        let Some(path) = &self.token else { return };
        if let Err(error) = write_private(path, token.as_bytes()) {
            tracing::error!(path = %path.display(), %error, "the simulator's token could not be written");
        }
    }
}

/// Writes a file of mode 0600 beside `path` and renames it: a reader sees the old content or the new, never half.
pub(super) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or_else(|| io::Error::other("not a file name"))?.to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&beside)?.write_all(content)?;
    std::fs::rename(&beside, path)
}
