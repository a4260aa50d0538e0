//! The gateway's own customers: one for each of ours, made under a key that names it.

use async_trait::async_trait;
use billfold_core::Result;
use billfold_core::provider::{CallContext, CustomerDirectory, EnsureCustomer};
use billfold_core::secret::sha256;

use crate::client::{Call, send};
use crate::provider::Stripe;
use crate::wire::Customer;
use crate::{failure, map};

#[async_trait]
impl CustomerDirectory for Stripe {
    async fn ensure(&self, cx: &CallContext, customer: EnsureCustomer) -> Result<String> {
        let form = map::customer(&customer.reference, &customer.profile);
        // The gateway refuses a key that it has seen with another body, and the profile may have changed since a
        // first attempt whose answer was lost.
        let digest = hex::encode(&sha256(form.encode().as_bytes())[..8]);
        let key = format!("{}-{digest}", cx.idempotency_key);
        let made: Customer = send(self.config(), cx, Call::post("/v1/customers", key, &form)).await?;
        made.id.ok_or_else(|| failure::contradiction(cx, "a customer was made but has no id"))
    }
}
