//! Lists of the resource manager: page after page, to their end. Follows a link only on the resource manager's own origin.

use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use super::{Arm, AzureError, AzureErrorKind};

/// A page of API Management has 100 items: fifty thousand subscriptions are more than any service has been seen with.
const MOST_PAGES: usize = 500;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "T: DeserializeOwned")]
struct Page<T> {
    value: Option<Vec<T>>,
    next_link: Option<String>,
}

/// Everything of a list. `what` is a noun phrase: `the list of APIs`.
///
/// # Errors
/// Also when it does not end.
pub(super) async fn list<T: DeserializeOwned>(arm: &Arm, first: Url, what: &str) -> Result<Vec<T>, AzureError> {
    pages(arm, first, what, false).await
}

/// As [`list`], of what must not be taken for empty: an answer without a list is none.
///
/// # Errors
/// Also when it does not end.
pub(super) async fn whole<T: DeserializeOwned>(arm: &Arm, first: Url, what: &str) -> Result<Vec<T>, AzureError> {
    pages(arm, first, what, true).await
}

async fn pages<T: DeserializeOwned>(arm: &Arm, first: Url, what: &str, needs_list: bool) -> Result<Vec<T>, AzureError> {
    let malformed = |message: String| AzureError::new(AzureErrorKind::Malformed, message);
    let mut items = Vec::new();
    let mut url = first;
    for _ in 0..MOST_PAGES {
        let page: Page<T> = arm.get(url.clone()).await?.read(what)?;
        if needs_list && page.value.is_none() {
            return Err(malformed(format!("the answer for {what} holds no list")));
        }
        items.extend(page.value.unwrap_or_default());
        let Some(link) = page.next_link.filter(|link| !link.is_empty()) else { return Ok(items) };
        match arm.follow(&link) {
            Some(next) if next == url => return Err(malformed(format!("the next page of {what} is the same page"))),
            Some(next) => url = next,
            None => return Err(malformed(format!("the next page of {what} is at `{link}`, which is no URL"))),
        }
    }
    Err(malformed(format!("{what} has more than {MOST_PAGES} pages")))
}
