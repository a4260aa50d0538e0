//! Sealed values. The first byte of an input chooses the record in whose place it is opened; what follows is the blob,
//! or, where the first byte is 128 or more: the record whose blob is altered, an offset of two bytes, and what is
//! XORed into it there.
//!
//! Nothing opens but what we sealed, in its own place, and there it is what was sealed. Every refusal is the same.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use billfold_core::ErrorKind;
use billfold_core::clock::ManualClock;
use billfold_core::entropy::{Entropy, EntropyError};
use billfold_core::name::TenantId;
use billfold_core::secret::{SecretString, sha256};
use billfold_core::store::memory::MemoryStore;
use billfold_core::vault::{LocalWrapper, Place, Sealed, Suite, Vault, VaultRecord};
use tokio::runtime::{Builder, Runtime};

use crate::accounts::NOW;

/// Thirty-two bytes that are no secret.
const ROOT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// What is sealed: an empty value, one within a block, one of exactly a block, and a longer one.
const VALUES: [&[u8]; 4] = [b"", b"tok-1", &[7; 60], &[9; 400]];

/// A generator of which each run gives the same bytes, so that the corpus holds blobs that open.
#[derive(Debug, Default)]
struct Counted(AtomicU64);

impl Entropy for Counted {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in buffer.chunks_mut(32) {
            let count = self.0.fetch_add(1, Ordering::Relaxed);
            chunk.copy_from_slice(&sha256(&count.to_be_bytes())[..chunk.len()]);
        }
        Ok(())
    }
}

/// Values in a vault.
struct World {
    vault: Vault,
    records: Vec<(VaultRecord, &'static [u8])>,
    runtime: Runtime,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let (store, entropy) = (Arc::new(MemoryStore::new()), Arc::new(Counted::default()));
    let root = Arc::new(LocalWrapper::from_base64(&SecretString::from(ROOT)).expect("a root key"));
    let vault = |suite| {
        let builder = Vault::builder(store.clone(), root.clone()).suite(suite);
        builder.clock(Arc::new(ManualClock::new(NOW))).entropy(entropy.clone()).build()
    };
    let tenant = TenantId::default_tenant();
    let mut records = Vec::new();
    for suite in Suite::ALL {
        for (index, value) in VALUES.into_iter().enumerate() {
            let (owner, object) = (["cus_1", "cus_2"][index % 2], format!("pm_{index}"));
            let place = Place { tenant: &tenant, owner, kind: "token", object: &object };
            let record = runtime.block_on(vault(suite).seal(place, value)).expect("sealed");
            records.push((record, value));
        }
    }
    World { vault: vault(Suite::default()), records, runtime }
});

/// The blobs that open, by the record that they belong to.
pub fn genuine() -> Vec<Vec<u8>> {
    WORLD.records.iter().map(|(record, _)| record.sealed.as_bytes().to_vec()).collect()
}

/// Opens one blob.
pub fn check(data: &[u8]) {
    let World { vault, records, runtime } = &*WORLD;
    let Some((choice, rest)) = data.split_first() else { return };
    let (place, value) = &records[usize::from(choice & 127) % records.len()];
    let blob = if *choice < 128 { rest.to_vec() } else { altered(records, rest) };
    let mut record = place.clone();
    record.sealed = Sealed::from_bytes(blob);
    let ours = record.sealed.as_bytes() == place.sealed.as_bytes();
    match runtime.block_on(vault.open(&record)) {
        Ok(opened) => {
            assert!(ours, "something opens that was not sealed in this place");
            assert_eq!(&opened[..], *value, "another value than was sealed");
        }
        Err(error) => {
            assert!(!ours, "what was sealed does not open: {error:?}");
            let same = error.kind() == ErrorKind::Vault
                && error.log_line() == "Vault: a stored value could not be sealed or opened";
            assert!(same, "a refusal tells why: {error:?}");
        }
    }
}

/// A blob of ours with some bytes changed.
fn altered(records: &[(VaultRecord, &[u8])], rest: &[u8]) -> Vec<u8> {
    let [which, high, low, mask @ ..] = rest else { return rest.to_vec() };
    let mut blob = records[usize::from(*which) % records.len()].0.sealed.as_bytes().to_vec();
    let offset = usize::from(u16::from_be_bytes([*high, *low])) % blob.len();
    for (byte, mask) in blob[offset..].iter_mut().zip(mask) {
        *byte ^= mask;
    }
    blob
}
