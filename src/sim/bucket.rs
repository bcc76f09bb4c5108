//! A shared store in memory: counts what it is asked, and is in trouble when its owner says so.
//!
//! What several processes of one simulation share. It survives them all.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};

use crate::clock::Clock;

/// What is asked of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BucketVerb {
    Put,
    Get,
    List,
    Delete,
}

/// One request, before it has an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketRequest {
    /// From 0, in the order in which they came.
    pub number: u64,
    pub verb: BucketVerb,
    pub path: String,
    /// What a put would write; empty for the others.
    pub content: Bytes,
}

impl BucketRequest {
    /// A put of a record in which that text stands.
    pub fn writes(&self, text: &str) -> bool {
        self.verb == BucketVerb::Put && String::from_utf8_lossy(&self.content).contains(text)
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// 503, without effect.
    Refused,
    /// It happens, and nobody hears of it.
    AnswerLost,
    /// No answer, and no effect.
    Hangs,
    /// It is on its way for so long, and happens then, also when whoever sent it has gone. Of puts only; others are only
    /// answered late.
    Late(Duration),
    /// It happens, and the answer is on its way for so long.
    AnswerLate(Duration),
}

type Judge = dyn Fn(&BucketRequest) -> Trouble + Send + Sync;

/// The store. Cheap to clone; every clone is the same store.
#[derive(Clone)]
pub struct Bucket {
    inner: Arc<InMemory>,
    clock: Clock,
    judge: Arc<Mutex<Arc<Judge>>>,
    log: Arc<Mutex<Vec<BucketRequest>>>,
    next: Arc<AtomicU64>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").finish_non_exhaustive()
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated bucket")
    }
}

impl Bucket {
    pub fn new(clock: Clock) -> Self {
        Self {
            inner: Arc::new(InMemory::new()),
            clock,
            judge: Arc::new(Mutex::new(Arc::new(|_| Trouble::None))),
            log: Arc::default(),
            next: Arc::default(),
        }
    }

    /// What becomes of every request from here on.
    pub fn judged_by(&self, judge: impl Fn(&BucketRequest) -> Trouble + Send + Sync + 'static) {
        *self.judge.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(judge);
    }

    /// No more trouble.
    pub fn recover(&self) {
        self.judged_by(|_| Trouble::None);
    }

    /// Every request so far, in order.
    pub fn log(&self) -> Vec<BucketRequest> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn judged(&self, verb: BucketVerb, path: &Path, content: Bytes) -> Trouble {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let request = BucketRequest { number, verb, path: path.to_string(), content };
        let judge = self.judge.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let trouble = judge(&request);
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        trouble
    }

    async fn under<T>(&self, trouble: Trouble, request: impl Future<Output = Result<T>> + Send) -> Result<T> {
        match trouble {
            Trouble::None => request.await,
            Trouble::Refused => Err(refused("503 Server Busy")),
            Trouble::AnswerLost => {
                let _nobody_hears_of_it = request.await;
                Err(refused("connection reset"))
            }
            Trouble::Hangs => std::future::pending().await,
            Trouble::Late(duration) => {
                self.clock.sleep(duration).await;
                request.await
            }
            Trouble::AnswerLate(duration) => {
                let answer = request.await;
                self.clock.sleep(duration).await;
                answer
            }
        }
    }
}

fn refused(what: &'static str) -> Error {
    Error::Generic { store: "simulated bucket", source: what.into() }
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let trouble = self.judged(BucketVerb::Put, location, payload.clone().into());
        // A request that is on its way arrives, also when whoever sent it has gone.
        if let Trouble::Late(_) = trouble {
            let (bucket, location) = (self.clone(), location.clone());
            let sent =
                tokio::spawn(
                    async move { bucket.under(trouble, bucket.inner.put_opts(&location, payload, options)).await },
                );
            return sent.await.map_err(|_| refused("the simulation ended"))?;
        }
        self.under(trouble, self.inner.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let trouble = self.judged(BucketVerb::Get, location, Bytes::new());
        self.under(trouble, self.inner.get_opts(location, options)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let bucket = self.clone();
        let delete = move |location: Result<Path>| {
            let bucket = bucket.clone();
            async move {
                let location = location?;
                let trouble = bucket.judged(BucketVerb::Delete, &location, Bytes::new());
                let one = stream::iter([Ok(location.clone())]).boxed();
                let mut deleted = bucket.inner.delete_stream(one);
                bucket.under(trouble, async { deleted.next().await.unwrap_or(Ok(location)) }).await
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.judged(BucketVerb::List, prefix.unwrap_or(&Path::default()), Bytes::new()) {
            Trouble::None | Trouble::Late(_) | Trouble::AnswerLate(_) => self.inner.list(prefix),
            Trouble::Refused | Trouble::AnswerLost => stream::iter([Err(refused("503 Server Busy"))]).boxed(),
            Trouble::Hangs => stream::pending().boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let trouble = self.judged(BucketVerb::List, prefix.unwrap_or(&Path::default()), Bytes::new());
        self.under(trouble, self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
