//! A listing that a store refused: the client of object stores tells no kinds of refusals there.

use http::StatusCode;

/// What the store answered; a cause somewhere in the client's error.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{status}: {said}")]
pub struct ListingRefused {
    pub status: StatusCode,
    /// One line.
    pub said: String,
}

/// The status of a refused listing; none for every other error.
pub fn listing_refused(error: &object_store::Error) -> Option<StatusCode> {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.filter_map(|cause| cause.downcast_ref::<ListingRefused>()).map(|refused| refused.status).next()
}
