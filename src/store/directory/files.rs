//! Files that only their owner may read, and that are there whole or not at all.

use std::{
    io::{self, Read, Write},
    path::Path,
};

use crate::{
    run::journal::sync_directory,
    store::{StoreError, error::io_error},
};

/// Mode 0700; the parents must exist.
pub(super) fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Mode 0700, with its parents; fine if it is there.
pub(in crate::store) fn make_private(path: &Path) -> Result<(), StoreError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| io_error("create", path, source))
}

/// A new file, mode 0600.
pub(in crate::store) fn create_file(path: &Path) -> io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Replaces a file's content at once, mode 0600, durable when it returns.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    sync_directory(parent(path))
}

/// A bare file name has the working directory for its parent, written as nothing.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file's content, unless it has more than `most` bytes.
pub fn read_limited(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other("it is too large"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_lies_in_the_working_directory() {
        assert_eq!(parent(Path::new("plan.json")), Path::new("."));
        assert_eq!(parent(Path::new("plans/plan.json")), Path::new("plans"));
    }

    #[test]
    fn a_limit_is_the_most_that_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        for (length, fits) in [(0, true), (2, true), (3, true), (4, false), (5, false), (9, false)] {
            std::fs::write(&path, vec![b'x'; length]).unwrap();
            assert_eq!(read_limited(&path, 3).ok().map(|bytes| bytes.len()), fits.then_some(length), "{length}");
        }
    }
}
