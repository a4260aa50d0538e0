//! The gateway's own customers. Sending one inline twice is answered with 409, so one is made per
//! customer and found again when it exists.

use async_trait::async_trait;
use billfold_core::provider::{CallContext, CustomerDirectory, EnsureCustomer};
use billfold_core::{ErrorKind, Result};

use crate::client::{Call, send};
use crate::provider::Xendit;
use crate::wire::{CUSTOMERS_VERSION, Customer, CustomerList};
use crate::{failure, map};

#[async_trait]
impl CustomerDirectory for Xendit {
    async fn ensure(&self, cx: &CallContext, customer: EnsureCustomer) -> Result<String> {
        // The gateway wants keys that are unique across test and live, and a customer of ours may be at both.
        let key = format!("{}-{}", cx.idempotency_key, self.config().mode.as_str());
        let call = Call::repeatable_post("/customers")
            .version(CUSTOMERS_VERSION)
            .idempotency_key(&key)
            .json(&map::customer(&customer.reference, &customer.profile))?;
        let made = match send::<Customer>(self.config(), cx, call).await {
            Ok(made) => made.id,
            Err(error) if failure::status(&error) == Some(409) => {
                match self.find(cx, &customer.reference).await? {
                    Some(id) => Some(id),
                    None => return Err(error),
                }
            }
            Err(error) => return Err(error),
        };
        made.ok_or_else(|| failure::contradiction(cx, "a customer was made but has no id"))
    }
}

impl Xendit {
    /// The customer with our reference. No match is a list without it, or an error that says so.
    async fn find(&self, cx: &CallContext, reference: &str) -> Result<Option<String>> {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("reference_id", reference)
            .finish();
        let call = Call::get(format!("/customers?{query}")).version(CUSTOMERS_VERSION);
        let list = match send::<CustomerList>(self.config(), cx, call).await {
            Ok(CustomerList::Page { data } | CustomerList::Bare(data)) => data,
            Err(error)
                if error.kind() == ErrorKind::GatewayRejected
                    && matches!(failure::status(&error), Some(400 | 404)) =>
            {
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        let found = list.into_iter().find(|customer| customer.reference_id.as_deref() == Some(reference));
        Ok(found.and_then(|customer| customer.id))
    }
}
