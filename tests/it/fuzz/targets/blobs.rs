//! Pages of a blob listing: malformed in words, or blobs with names.

use lifeboat::azure::{AzureErrorKind, storage::listed};

pub fn hold(bytes: &[u8]) {
    match listed(bytes) {
        Ok((blobs, marker)) => {
            assert!(marker.is_none_or(|marker| !marker.is_empty()), "an empty marker never ends");
            for blob in blobs {
                for text in [&blob.tier, &blob.etag, &blob.archive_status, &blob.copy_status, &blob.snapshot] {
                    assert!(text.as_ref().is_none_or(|text| !text.is_empty()), "{blob:?}");
                }
            }
        }
        Err(error) => {
            assert_eq!(error.kind, AzureErrorKind::Malformed, "{error:?}");
            assert!(error.message.contains("listing"), "{error}");
        }
    }
}
