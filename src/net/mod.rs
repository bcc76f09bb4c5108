//! The two seams to the world: an HTTP transport and a DNS client. Each is a small enum,
//! real or in-process simulator. No policy here: one request, one answer or one typed error. [`objects`] are reached
//! through `object_store`, whose requests go through the same transport.

mod certificate;
pub mod dns;
pub mod http;
mod listing;
pub mod objects;
mod real_dns;
mod real_http;

pub use certificate::thumbprint;
pub use dns::{Dns, DnsAnswer, DnsError, DnsRecord, RealDns, RecordData, RecordKind, ResponseCode};
pub use http::{
    Certificate, Delivery, Http, HttpError, HttpErrorKind, HttpOptions, HttpRequest, HttpResponse, RealHttp,
};
pub use listing::{ListingRefused, listing_refused};
pub use objects::{ObjectError, Objects};
pub use real_http::CONNECT_TIMEOUT;
