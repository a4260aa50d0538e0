//! The merchant's payers.

use crate::clock::Timestamp;
use crate::id::{CustomerId, ErasureId, VaultRecordId};
use crate::name::{GatewayName, TenantId};

/// A customer as stored. The profile lies in the vault; the merchant's reference finds the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Stable id.
    pub id: CustomerId,
    /// Whose customer.
    pub tenant: TenantId,
    /// The merchant's own id of the customer, unique within the tenant.
    pub reference: String,
    /// The sealed [`crate::provider::CustomerProfile`].
    pub profile: VaultRecordId,
    /// Set once the customer is being erased: nobody is shown them any more.
    pub erasure: Option<ErasureId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes, from 1.
    pub version: i64,
}

/// A customer's id at one gateway that keeps customers of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayCustomer {
    /// Whose customer.
    pub tenant: TenantId,
    /// At which gateway.
    pub gateway: GatewayName,
    /// Our customer.
    pub customer_id: CustomerId,
    /// The gateway's id.
    pub reference: String,
    /// When it was learnt.
    pub created_at: Timestamp,
}
