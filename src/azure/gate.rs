//! Whether a request that changes something may leave now. Somebody else may have taken the work over while this process
//! waited for a token or for Azure's Retry-After, or was stopped.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use http::Method;

type Pass = dyn Fn() -> BoxFuture<'static, ()> + Send + Sync;

/// Asked right before each such request, also before a repeat of it. Without an answer the request never leaves.
#[derive(Clone, Default)]
pub struct Gate(Option<Arc<Pass>>);

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl Gate {
    pub fn asking<F>(pass: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(Some(Arc::new(move || Box::pin(pass()))))
    }

    /// Reads pass at once.
    pub(super) async fn pass(&self, method: &Method) {
        let reads = method == Method::GET || method == Method::HEAD;
        if let Some(pass) = self.0.as_ref().filter(|_| !reads) {
            pass().await;
        }
    }
}
