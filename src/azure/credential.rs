//! Access tokens: azure_identity's credentials, a ready token, or the in-process simulator's.

/// Gives a valid token for every request. Tokens outlive nothing: each request asks again.
#[derive(Debug)]
pub struct TokenSource {}
